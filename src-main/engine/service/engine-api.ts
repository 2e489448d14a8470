import { basename } from 'node:path';
import type { EngineApi, GridPreview } from '../../../src-shared/api/engine.ts';
import type { EngineEvent } from '../../../src-shared/api/events.ts';
import { AppError } from '../../../src-shared/errors.ts';
import type { MapSide } from '../../../src-shared/model/side-by-side.ts';
import type { StudyPlan } from '../../../src-shared/model/study.ts';
import type { EngineOptions } from '../engine.ts';
import { checkedExtraction } from '../extract/checked-extraction.ts';
import type { ExtractionService } from '../extract/extraction-service.ts';
import { readSlideList } from '../extract/slide-list.ts';
import { targetStain } from '../extract/stain/fit-slide.ts';
import { readSplits } from '../interop/splits.ts';
import type { JobQueue } from '../job/queue.ts';
import { listFormats } from '../slide/formats.ts';
import type { OpenedStore } from '../store/store.ts';
import { summariseTissue } from '../tissue/tissue-mask.ts';
import type { AnalysisService } from './analysis.ts';
import type { BackboneService } from './backbones.ts';
import { browseFolder } from './browse.ts';
import type { CatalogueService } from './catalogue-service.ts';
import {
  checkedCount,
  checkedGrid,
  checkedMove,
  checkedSpec,
  checkedStainMethod,
  checkedTissue,
} from './checked-request.ts';
import type { ComparisonService } from './comparison-service.ts';
import type { DemoService } from './demo-service.ts';
import { DEVICE_SETTING, type DeviceService } from './device-service.ts';
import type { Exports } from './exports.ts';
import type { FineTuneService } from './fine-tune-service.ts';
import type { FolderService } from './folder-service.ts';
import type { Grants } from './grants.ts';
import type { MapService } from './map-service.ts';
import type { ReportService } from './report-service.ts';
import type { SideBySideService } from './side-by-side-service.ts';
import type { SlideLibrary } from './slide-library.ts';
import type { StudyReportService } from './study-report-service.ts';
import type { StudyService } from './study-service.ts';
import type { TaskMakingService } from './task-making-service.ts';
import type { TissueService } from './tissue-service.ts';
import { HYALINE_VERSION, NOTICE, versions } from './versions.ts';

/** The services of one engine. */
export interface Services {
  readonly options: EngineOptions;
  readonly store: OpenedStore;
  readonly grants: Grants;
  readonly library: SlideLibrary;
  readonly folders: FolderService;
  readonly tissue: TissueService;
  readonly backbones: BackboneService;
  readonly catalogue: CatalogueService;
  readonly device: DeviceService;
  readonly analysis: AnalysisService;
  readonly extraction: ExtractionService;
  readonly demo: DemoService;
  readonly maps: MapService;
  readonly reports: ReportService;
  readonly exportsKept: Exports;
  readonly studies: StudyService;
  readonly fineTuning: FineTuneService;
  readonly studyReports: StudyReportService;
  readonly comparisons: ComparisonService;
  readonly taskMaking: TaskMakingService;
  readonly sideBySide: SideBySideService;
  readonly queue: JobQueue;
  readonly emit: (event: EngineEvent) => void;
  /** Lets go of what is kept in memory of a slide. */
  readonly forgetImages: (id: Parameters<EngineApi['forgetSlide']>[0]) => void;
}

/** The API that clients call, over the services. Arguments come from outside: what matters is checked here. */
export function engineApi(services: Services): EngineApi {
  return {
    ...generalApi(services),
    ...slideApi(services),
    ...folderApi(services),
    ...backboneApi(services),
    ...runApi(services),
    ...studyApi(services),
    ...comparisonApi(services),
    ...archiveApi(services),
    ...queueApi(services),
  };
}

type Part<K extends keyof EngineApi> = Pick<EngineApi, K>;

function generalApi({ options, store, device, backbones, grants }: Services) {
  return {
    about: async () => ({
      version: HYALINE_VERSION,
      notice: NOTICE,
      versions: versions(),
      device: await device.status(),
      store: await store.status(),
      host: options.host,
      canBrowse: options.host === 'web',
    }),
    browseFolder: async (path) => {
      if (options.host !== 'web') throw new AppError('NotAllowed', 'This window has its own open dialog.');
      return await browseFolder(path, grants);
    },
    getSetting: (key) => store.getSetting(String(key)),
    setSetting: async (key, value) => {
      await store.setSetting(String(key), String(value));
      if (key === DEVICE_SETTING) device.reset();
    },
    listDevices: () => device.list(),
    testDevices: async (id) => await device.test(id === null ? null : await backbones.testSubject(id)),
  } satisfies Part<'about' | 'browseFolder' | 'getSetting' | 'setSetting' | 'listDevices' | 'testDevices'>;
}

function slideApi({ library, grants, demo, queue, tissue, backbones, emit, forgetImages }: Services) {
  return {
    openSlide: async (grant) => {
      const slide = await library.add(grants.redeem(grant));
      emit({ type: 'library-changed' });
      return slide;
    },
    openDemoSlide: () => demo.open(queue),
    listSlides: () => library.list(),
    getSlide: (id) => library.get(id),
    reopenSlide: async (id) => {
      const slide = await library.reopen(id);
      emit({ type: 'library-changed' });
      return slide;
    },
    forgetSlide: async (id) => {
      await queue.removeJobsOf(id);
      await library.forget(id);
      forgetImages(id);
      emit({ type: 'library-changed' });
    },
    setSlideMpp: async (id, mppUm) => {
      const slide = await library.setMpp(id, mppUm);
      emit({ type: 'library-changed' });
      return slide;
    },
    previewGrid: async (id, tissueParams, grid, backboneId) => {
      const params = checkedTissue(tissueParams);
      const laid = await tissue.layGrid(id, params, checkedGrid(grid));
      const card = backboneId === null ? null : await backbones.get(backboneId);
      const dim = card?.cuts.find(({ name }) => name === card.defaultCut)?.featureDim ?? null;
      const { tileCount, droppedCount, columns, rows } = laid.grid;
      const preview: GridPreview = {
        tissue: summariseTissue(await tissue.mask(id, params)),
        tileCount,
        droppedCount,
        columns,
        rows,
        featureBytes: dim === null ? null : tileCount * dim * Float32Array.BYTES_PER_ELEMENT,
      };
      return preview;
    },
  } satisfies Part<
    | 'openSlide'
    | 'openDemoSlide'
    | 'listSlides'
    | 'getSlide'
    | 'reopenSlide'
    | 'forgetSlide'
    | 'setSlideMpp'
    | 'previewGrid'
  >;
}

/** Grants handed over at a time: more is a mistake or an attack. */
const MAX_FILES = 10_000;

function folderApi({ folders, library, grants, emit }: Services) {
  return {
    openFolder: (grant) => folders.open(grants.redeem(grant)),
    readFolder: (id, from) => folders.read(id, from),
    closeFolder: async (id) => folders.closeFolder(id),
    listFormats: async () => listFormats(),
    readSlideList: async (grant) => {
      const path = grants.redeem(grant);
      const { slides, labelColumns, warnings } = await readSlideList(path);
      return {
        name: basename(path),
        slides: slides.map(({ path: file, ...rest }) => ({ ...rest, name: basename(file), grant: grants.give(file) })),
        labelColumns,
        warnings,
      };
    },
    addSlides: async (files) => {
      if (!Array.isArray(files) || files.length > MAX_FILES) {
        throw new AppError('InvalidRequest', `At most ${MAX_FILES} slides can be added at a time.`);
      }
      try {
        return await library.addAll(files, (grant) => grants.redeem(grant));
      } finally {
        emit({ type: 'library-changed' });
      }
    },
  } satisfies Part<'openFolder' | 'readFolder' | 'closeFolder' | 'listFormats' | 'readSlideList' | 'addSlides'>;
}

function queueApi({ queue }: Services) {
  return {
    cancelJobs: (ids) => queue.cancelAll(ids),
    resumeJobs: async (ids) => {
      for (const id of ids) if (queue.get(id)?.resumable === true) await queue.resume(id);
    },
    removeJobs: (ids) => queue.remove(ids),
    moveJob: (id, move) => queue.move(id, checkedMove(move)),
    queueState: async () => queue.state,
    pauseQueue: (paused) => queue.setPaused(paused === true),
  } satisfies Part<'cancelJobs' | 'resumeJobs' | 'removeJobs' | 'moveJob' | 'queueState' | 'pauseQueue'>;
}

function backboneApi({ backbones, catalogue, queue, grants, exportsKept, emit }: Services) {
  const changed = <T>(result: T): T => {
    emit({ type: 'backbones-changed' });
    return result;
  };
  return {
    listBackbones: () => backbones.list(),
    importBackbone: async (grant, edits) => changed(await backbones.import(grants.redeem(grant), edits)),
    editBackbone: async (id, edits) => changed(await backbones.edit(id, edits)),
    removeBackbone: async (id) => changed(await backbones.remove(id)),
    matchBackbone: (grant) => backbones.match(grants.redeem(grant)),
    makeRandomTwin: async (id, seed) => changed(await backbones.randomTwin(id, seed)),
    exportBackboneCut: async (id, cut) => {
      const { name } = await backbones.get(id);
      const fileName = `${name}@${cut}.onnx`.replace(/[^\w@.+-]+/g, '-');
      return await exportsKept.make(fileName, 'application/octet-stream', async (path) => {
        await backbones.exportCut(id, cut, path);
      });
    },
    listCatalogue: () => catalogue.list(queue),
    takeCatalogueFrom: (folder) => catalogue.takeFrom(grants.redeem(folder)),
    startDownload: (name) => catalogue.start(name, queue),
    discardDownload: (name) => catalogue.discard(name, queue),
  } satisfies Part<
    | 'listBackbones'
    | 'importBackbone'
    | 'editBackbone'
    | 'removeBackbone'
    | 'matchBackbone'
    | 'makeRandomTwin'
    | 'exportBackboneCut'
    | 'listCatalogue'
    | 'takeCatalogueFrom'
    | 'startDownload'
    | 'discardDownload'
  >;
}

function studyApi({ studies, studyReports, fineTuning, queue, store, grants, emit }: Services) {
  const checked = (plan: StudyPlan): StudyPlan => ({
    ...plan,
    grid: checkedGrid(plan.grid),
    tissue: checkedTissue(plan.tissue),
  });
  return {
    startStudy: (plan) => studies.start(checked(plan), queue),
    auditStudy: (plan) => studies.audit(checked(plan)),
    createStudy: (plan) => studies.create(checked(plan)),
    updateStudy: (id, plan) => studies.update(id, checked(plan), queue),
    // The HDF5 library is loaded only when it is needed.
    readFeatureFolder: async (grant) => {
      const { readFeatureFolder } = await import('../interop/feature-folder.ts');
      return await readFeatureFolder(grants.redeem(grant));
    },
    importFeatureBag: async ({ folder, ...request }) => {
      const { importFeatureBag } = await import('./feature-bags.ts');
      return await importFeatureBag(store, grants.redeem(folder), request);
    },
    trainStudy: async (id) => (await fineTuning.goOn(id, queue)) ?? (await studies.train(id, queue)),
    readStudySplits: async (files, rows) => readSplits(files, rows),
    studyProgress: (id) => studies.progress(id),
    predictSlide: (id, runId) => studies.predict(id, runId),
    listAskedSlides: (id) => studies.askedSlides(id),
    validateStudy: (id, otherId) => studies.startExternal(id, otherId, queue),
    fineTuneStudy: (request) => fineTuning.start(request, queue),
    forecastFineTuning: (request) => fineTuning.forecast(request, queue),
    exportStudy: (id, format) => studyReports.export(id, format),
    listStudies: () => store.listStudies(),
    getStudy: (id) => studies.get(id),
    removeStudy: async (id) => {
      const study = await studies.get(id);
      const job = study.jobId === null ? null : queue.get(study.jobId);
      if (job !== null) await queue.cancel(job.id);
      await store.removeStudy(id);
      studies.forget(id);
      await fineTuning.forget(id);
      emit({ type: 'studies-changed', studyId: id });
    },
  } satisfies Part<
    | 'startStudy'
    | 'auditStudy'
    | 'createStudy'
    | 'updateStudy'
    | 'readFeatureFolder'
    | 'importFeatureBag'
    | 'trainStudy'
    | 'readStudySplits'
    | 'studyProgress'
    | 'predictSlide'
    | 'listAskedSlides'
    | 'validateStudy'
    | 'fineTuneStudy'
    | 'forecastFineTuning'
    | 'exportStudy'
    | 'listStudies'
    | 'getStudy'
    | 'removeStudy'
  >;
}

function runApi({ analysis, queue, store, maps, reports, emit }: Services) {
  return {
    startAnalysis: (request) =>
      analysis.start({ ...request, grid: checkedGrid(request.grid), tissue: checkedTissue(request.tissue) }, queue),
    listJobs: async () => queue.list(),
    cancelJob: (id) => queue.cancel(id),
    resumeJob: async (id) => {
      await queue.resume(id);
    },
    listRuns: (slideId) => store.listRuns(slideId),
    removeRun: async (id) => {
      const run = await store.getRun(id);
      const job = queue.activeJobOf(id);
      if (job !== null) await queue.cancel(job.id);
      await store.removeRun(id);
      if (run !== null) emit({ type: 'runs-changed', slideId: run.slideId });
    },
    getMap: async (runId, spec) => (await maps.get(runId, checkedSpec(spec))).description,
    drawMap: async (runId, spec, models) =>
      (await maps.draw(runId, checkedSpec(spec), checkedCount(models))).description,
    leaveMap: (runId, spec) => maps.leave(runId, checkedSpec(spec)),
    tileAt: (runId, x0Px, y0Px) => maps.tileAt(runId, x0Px, y0Px),
    similarTiles: (runId, tileIndex, count) => maps.similar(runId, tileIndex, count),
    exportReport: (runId, options) => reports.pdf(runId, options),
    exportTilesCsv: (runId, specs) => reports.csv(runId, specs.map(checkedSpec)),
    exportMapFigure: (runId, spec) => reports.figure(runId, spec),
    exportRunRecord: (runId, specs) => reports.record(runId, specs.map(checkedSpec)),
  } satisfies Part<
    | 'startAnalysis'
    | 'listJobs'
    | 'cancelJob'
    | 'resumeJob'
    | 'listRuns'
    | 'removeRun'
    | 'getMap'
    | 'drawMap'
    | 'leaveMap'
    | 'tileAt'
    | 'similarTiles'
    | 'exportReport'
    | 'exportTilesCsv'
    | 'exportMapFigure'
    | 'exportRunRecord'
  >;
}

function comparisonApi({ comparisons, sideBySide, taskMaking, queue }: Services) {
  const side = ({ runId, spec }: MapSide): MapSide => ({ runId, spec: checkedSpec(spec) });
  return {
    compareMaps: (a, b) => sideBySide.compare(side(a), side(b)),
    checkTasks: (selection) => comparisons.check(selection),
    makeTask: (request) => taskMaking.start(request, queue),
    madeTask: async (jobId) => taskMaking.made(jobId),
    startComparison: (request) => comparisons.start(request, queue),
    listComparisons: () => comparisons.list(),
    getComparison: (id) => comparisons.get(id),
    comparisonCell: (id, task, backbone, cut) => comparisons.cell(id, task, backbone, cut),
    removeComparison: (id) => comparisons.remove(id, queue),
    listComparisonFiles: (id) => comparisons.files(id),
    exportComparison: (id, fileName) => comparisons.export(id, fileName),
  } satisfies Part<
    | 'compareMaps'
    | 'checkTasks'
    | 'makeTask'
    | 'madeTask'
    | 'startComparison'
    | 'listComparisons'
    | 'getComparison'
    | 'comparisonCell'
    | 'removeComparison'
    | 'listComparisonFiles'
    | 'exportComparison'
  >;
}

function archiveApi({ extraction, queue, store, grants }: Services) {
  return {
    fitStain: (method, image) => targetStain(checkedStainMethod(method), image === null ? null : grants.redeem(image)),
    forecastExtraction: (request) => extraction.forecast(checkedExtraction(request)),
    startExtraction: (request) => extraction.start(checkedExtraction(request), queue),
    storeUsage: () => store.usage(),
    dropResults: (slideId, backboneId) => extraction.drop(slideId, backboneId, queue),
  } satisfies Part<'fitStain' | 'forecastExtraction' | 'startExtraction' | 'storeUsage' | 'dropResults'>;
}
