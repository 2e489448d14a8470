import { join } from 'node:path';
import type { EngineEvent } from '../../src-shared/api/events.ts';
import type { RunId } from '../../src-shared/model/ids.ts';
import type { Engine, EngineOptions } from './engine.ts';
import { ExtractionService } from './extract/extraction-service.ts';
import { graphCacheFolder } from './infer/graph-cache.ts';
import { InferenceWorker } from './infer/inference-worker.ts';
import { openJobQueue } from './job/queue.ts';
import { AnalysisService } from './service/analysis.ts';
import { BackboneService } from './service/backbones.ts';
import { CatalogueService } from './service/catalogue-service.ts';
import { ComparisonService } from './service/comparison-service.ts';
import { DemoService } from './service/demo-service.ts';
import { DeviceService } from './service/device-service.ts';
import { engineApi } from './service/engine-api.ts';
import { Exports } from './service/exports.ts';
import { FineTuneService } from './service/fine-tune-service.ts';
import { FolderService } from './service/folder-service.ts';
import { Grants } from './service/grants.ts';
import { MapService } from './service/map-service.ts';
import { ReportService } from './service/report-service.ts';
import { routeTable } from './service/route-table.ts';
import { SideBySideService } from './service/side-by-side-service.ts';
import { SlideLibrary } from './service/slide-library.ts';
import { StudyReportService } from './service/study-report-service.ts';
import { StudyService } from './service/study-service.ts';
import { TaskMakingService } from './service/task-making-service.ts';
import { TissueService } from './service/tissue-service.ts';
import { versions } from './service/versions.ts';
import { openStore } from './store/open-store.ts';
import { createHandler } from './tile/handler.ts';
import { SlideImages } from './tile/slide-images.ts';

/**
 * Puts the engine together: store, services, job queue, API and routes. Runs on any thread of plain Node.
 *
 * @throws AppError StoreLocked (names the owner), StoreOnNetwork, StoreDamaged, StoreTooNew, DiskFull.
 */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const store = await openStore({ folder: options.storeFolder, program: `hyaline (${options.host})` });
  const listeners = new Set<(event: EngineEvent) => void>();
  const emit = (event: EngineEvent): void => {
    for (const listener of listeners) listener(event);
  };
  const worker = new InferenceWorker(graphCacheFolder(options.storeFolder));
  const grants = new Grants();
  const images = new SlideImages();
  const library = new SlideLibrary(store);
  const folders = new FolderService(grants);
  const tissue = new TissueService(library);
  const backbones = new BackboneService(options.storeFolder, store, worker);
  const catalogue = new CatalogueService({
    ...{ backbones, store, mirror: options.catalogueMirror ?? null },
    // The variable by which the tools of the hub are pointed at a site's own one.
    hubUrl: options.hubUrl ?? process.env.HF_ENDPOINT ?? null,
    onRegistered: () => emit({ type: 'backbones-changed' }),
  });
  const device = new DeviceService({
    ...{ store, threads: options.threads, subjectOf: (id) => backbones.testSubject(id) },
    ...(options.probe === undefined ? {} : { probe: options.probe }),
  });
  const maps = new MapService(store, () => studies.attention);
  const exportsKept = new Exports(options.storeFolder);
  const reports = new ReportService({ store, library, maps, images, exportsKept });
  const demo = new DemoService(join(options.storeFolder, 'demo'), library, emit);
  const analysis = new AnalysisService({
    ...{ store, library, tissue, backbones, device, worker },
    versions: versions(),
    drawFirstMap: async (runId: RunId) => {
      await maps.get(runId, { kind: 'pca' });
    },
    onRunChanged: ({ slideId }) => emit({ type: 'runs-changed', slideId }),
  });
  const studies = new StudyService({
    ...{ store, analysis, tissue, backbones, device, threads: options.threads, probeStep: options.probeStep },
    onChanged: (studyId) => emit({ type: 'studies-changed', studyId }),
    onProgress: (studyId) => emit({ type: 'study-progress', studyId }),
  });
  const fineTuning = new FineTuneService({
    ...{
      store,
      studies,
      analysis,
      backbones,
      library,
      worker,
      device,
      storeFolder: options.storeFolder,
      threads: options.threads,
    },
    onBackbone: () => emit({ type: 'backbones-changed' }),
    onStudy: (studyId) => emit({ type: 'studies-changed', studyId }),
  });
  const sideBySide = new SideBySideService(maps, store);
  const comparisons = new ComparisonService({
    ...{ storeFolder: options.storeFolder, store, grants, library, backbones, device, studies, exportsKept },
    extraction: () => extraction,
    onChanged: (comparisonId) => emit({ type: 'comparisons-changed', comparisonId }),
  });
  const taskMaking = new TaskMakingService({ storeFolder: options.storeFolder, grants });
  const extraction = new ExtractionService({
    ...{ store, library, tissue, backbones, device, worker },
    storeFolder: options.storeFolder,
    versions: versions(),
    onRunChanged: ({ slideId }) => emit({ type: 'runs-changed', slideId }),
  });
  const runners = {
    analyse: analysis.runner,
    compare: comparisons.runner,
    'demo-slide': demo.runner,
    download: catalogue.runner,
    extract: extraction.runner,
    'fine-tune': fineTuning.runner,
    'make-task': taskMaking.runner,
    study: studies.runner,
  };
  // A command of the command line does what it was told, and no more.
  const goesOn = options.host !== 'cli' && !(await store.status()).readOnly;
  const queue = await openJobQueue({ store, runners, emit, goesOn });
  const services = {
    options,
    store,
    grants,
    library,
    folders,
    tissue,
    backbones,
    catalogue,
    device,
    analysis,
    extraction,
    demo,
    maps,
    reports,
    exportsKept,
    studies,
    fineTuning,
    studyReports: new StudyReportService({ store, exportsKept, backbones, studies }),
    comparisons,
    taskMaking,
    sideBySide,
    queue,
  };
  const api = engineApi({ ...services, emit, forgetImages: (id) => images.forget(id) });
  return {
    api,
    handle: createHandler(routeTable({ library, folders, tissue, maps, images, exportsKept, comparisons, sideBySide })),
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    grant: (path) => grants.give(path),
    chooseDevice: (id, pinned) => device.choose([id], pinned),
    close: async () => {
      folders.close();
      await queue.close();
      await maps.close();
      await studies.close();
      await worker.close();
      await library.close();
      await comparisons.close();
      await exportsKept.close();
      await store.close();
    },
  };
}
