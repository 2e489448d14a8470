import type { BackboneCard, BackboneOrigin, Catalogue, InputSpec, KeyMatch } from '../model/backbone.ts';
import type {
  ComparisonCell,
  ComparisonEntry,
  ComparisonRecord,
  ComparisonRequest,
  TaskCheck,
  TaskSelection,
} from '../model/comparison-record.ts';
import type { ExtractionForecast, ExtractionRequest, StartedExtraction, StoreUsage } from '../model/extraction.ts';
import type { FeatureFolder, FeatureImport, ImportedFeatures } from '../model/feature-bag.ts';
import type { FineTuneForecast, FineTuneRequest } from '../model/fine-tune.ts';
import type { AddedSlides, FolderListing, FolderPart, OpenedFolder, SlideFile, SlideList } from '../model/folder.ts';
import type {
  BackboneId,
  ComparisonId,
  ExportId,
  FileGrant,
  FolderId,
  JobId,
  RunId,
  SlideId,
  StudyId,
} from '../model/ids.ts';
import type { AboutInfo, DeviceChoices } from '../model/installation.ts';
import type { Job, QueueMove, QueueState } from '../model/job.ts';
import type { MapDescription, MapSpec, ScoredTile, TileRef } from '../model/map.ts';
import type { AnalysisRequest, GridSpec, Run, TissueParams, TissueSummary } from '../model/run.ts';
import type { MapAgreement, MapSide } from '../model/side-by-side.ts';
import type { Slide } from '../model/slide.ts';
import type { FormatList } from '../model/slide-format.ts';
import type { StainFit } from '../model/stain.ts';
import type {
  AskedSlide,
  SlidePrediction,
  Study,
  StudyAudit,
  StudyPlan,
  StudyProgress,
  StudyRow,
  StudySplitting,
} from '../model/study.ts';
import type { MadePatchTask, TaskMakingRequest } from '../model/task-making.ts';

/** What the user may correct when a model file does not say it. */
export interface CardEdits {
  readonly name?: string;
  readonly origin?: BackboneOrigin;
  readonly licence?: string;
  readonly method?: string;
  /** Fields left out stay as the file gives them. */
  readonly input?: Partial<InputSpec>;
  readonly defaultCut?: string;
  readonly architecture?: string;
  readonly source?: string;
  readonly trainedMpp?: number | null;
  /** Name or SHA-256 of the backbone its weights began as; empty = none. */
  readonly fineTunedFrom?: string;
  /** On import of a transformer's checkpoint only: `gelu` or `quick-gelu`, which its weights do not tell. */
  readonly activation?: string;
}

export interface GridPreview {
  readonly tissue: TissueSummary;
  readonly tileCount: number;
  readonly droppedCount: number;
  readonly columns: number;
  readonly rows: number;
  /** Bytes the features will take in the store; null before a backbone is chosen. */
  readonly featureBytes: number | null;
}

export interface ReportOptions {
  /** Free text printed on the report as the case heading; empty = none. */
  readonly heading: string;
  /** File name and label of the slide stay out unless asked for. */
  readonly includeSlideName: boolean;
  readonly maps: readonly MapSpec[];
  /** Free remarks of the user, printed as such. */
  readonly remarks: string;
}

export interface ExportedFile {
  readonly id: ExportId;
  readonly fileName: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
}

/**
 * Everything a client may ask of the engine. All arguments and results are JSON-safe; bytes travel over routes
 * (`routes.ts`). Long work returns a JobId; its progress comes as `job` events. Every method rejects with an AppError.
 */
export interface EngineApi {
  about(): Promise<AboutInfo>;

  /** Lists a folder of this machine (null: the home folder). Throws NotAllowed where the host has native dialogs. */
  browseFolder(path: string | null): Promise<FolderListing>;
  /** Begins to look through a folder and its subfolders for slides; nothing is stored. Throws FileUnreadable, NotAllowed. */
  openFolder(grant: FileGrant): Promise<OpenedFolder>;
  /** What has been found from place `from` on; waits a moment for the next find. NotFound: open the folder again. */
  readFolder(id: FolderId, from: number): Promise<FolderPart>;
  /** Ends the search. Unknown ids are ignored. */
  closeFolder(id: FolderId): Promise<void>;
  /** The slides a table (CSV) names: `wsi`, perhaps `mpp`, and label columns. Throws FileUnreadable, InvalidRequest. */
  readSlideList(grant: FileGrant): Promise<SlideList>;
  /** Which formats this installation reads, and with what. */
  listFormats(): Promise<FormatList>;
  /** Puts several slide files into the library; those that do not open are named with the reason. */
  addSlides(files: readonly SlideFile[]): Promise<AddedSlides>;
  /** Opens a slide file and remembers it. Throws NotASlide, SlideDamaged, SlideFormatUnsupported, FileUnreadable. */
  openSlide(grant: FileGrant): Promise<Slide>;
  /** The demo slide: made once (a job), then opened; returns the slide when it is there already. */
  openDemoSlide(): Promise<{ readonly slide: Slide | null; readonly jobId: JobId | null }>;
  listSlides(): Promise<readonly Slide[]>;
  getSlide(id: SlideId): Promise<Slide>;
  /** Opens a slide of the library again, which moves it to the front. Throws NotFound. */
  reopenSlide(id: SlideId): Promise<Slide>;
  /** Forgets the slide and everything computed from it; the file itself is never touched. */
  forgetSlide(id: SlideId): Promise<void>;
  /** Sets the user's pixel size (µm per level-0 pixel); null returns to the file's. */
  setSlideMpp(id: SlideId, mppUm: number | null): Promise<Slide>;

  /** Computes tissue mask and grid without storing anything; the mask image comes by `routes.tissue`. */
  previewGrid(id: SlideId, tissue: TissueParams, grid: GridSpec, backboneId: BackboneId | null): Promise<GridPreview>;

  listBackbones(): Promise<readonly BackboneCard[]>;
  /** How the keys of a checkpoint fit the network it belongs to, nothing registered; null for an ONNX file. */
  matchBackbone(grant: FileGrant): Promise<KeyMatch | null>;
  /** Registers an ONNX file or a checkpoint (.safetensors, PyTorch). Throws BackboneUnreadable, BackboneShapeUnsupported. Nothing is registered by half. */
  importBackbone(grant: FileGrant, edits: CardEdits): Promise<BackboneCard>;
  editBackbone(id: BackboneId, edits: CardEdits): Promise<BackboneCard>;
  /** Removes an imported backbone; its results stay, named as made by a removed backbone. */
  removeBackbone(id: BackboneId): Promise<void>;
  /** Registers the random twin of a backbone: the same graph and cuts, weights drawn with the seed (0 to 2^31 - 1). */
  makeRandomTwin(id: BackboneId, seed: number): Promise<BackboneCard>;
  /** One cut as an ONNX file of its own, dead layers gone. Throws NotFound, DiskFull. */
  exportBackboneCut(id: BackboneId, cut: string): Promise<ExportedFile>;
  /** The public checkpoints that can be fetched by name. Uses no network. */
  listCatalogue(): Promise<Catalogue>;
  /** Takes the files of the catalogue from a folder from now on, as the setting MIRROR_SETTING does. Throws NotAllowed for a file. */
  takeCatalogueFrom(folder: FileGrant): Promise<void>;
  /**
   * Fetches a checkpoint of the catalogue and registers it, as a job that goes on where an earlier one stopped: the only
   * method that uses the network, unless the mirror is a folder. Throws NotFound. The job fails with NetworkUnavailable,
   * NotAllowed (says where to ask for access), NotFound, DiskFull, BackboneUnreadable.
   */
  startDownload(name: string): Promise<JobId>;
  /** Removes what an unfinished download has fetched so far. Throws NotFound. */
  discardDownload(name: string): Promise<void>;
  /** Every device inference could run on here, with the outcome of its test. */
  listDevices(): Promise<DeviceChoices>;
  /** Tests the devices again, with the backbone (null: a small built-in network), and chooses anew. Takes seconds. */
  testDevices(id: BackboneId | null): Promise<DeviceChoices>;

  /** Starts, or continues, the extraction the request describes; an identical finished run is returned at once. */
  startAnalysis(request: AnalysisRequest): Promise<{ readonly runId: RunId; readonly jobId: JobId | null }>;
  /**
   * The colours slides are brought to: those of a reference image, or (null, Macenko only) the published ones.
   * Throws InvalidRequest: Reinhard without an image; FileUnreadable, NoTissue.
   */
  fitStain(method: StainFit['method'], image: FileGrant | null): Promise<StainFit>;
  /** What an extraction over many slides would add to the store, and which slides it would have to leave out. */
  forecastExtraction(request: ExtractionRequest): Promise<ExtractionForecast>;
  /**
   * Queues the features of many slides by many backbones, a job a slide (`cancelJob` pauses it, `resumeJob` goes on).
   * Throws DiskFull, before anything is queued, where the disk cannot hold them.
   */
  startExtraction(request: ExtractionRequest): Promise<StartedExtraction>;
  /** Sizes by slide and backbone, largest first. */
  storeUsage(): Promise<readonly StoreUsage[]>;
  /** Removes what a backbone (null: every one) made of a slide: runs, features, maps. */
  dropResults(slideId: SlideId, backboneId: BackboneId | null): Promise<void>;
  listJobs(): Promise<readonly Job[]>;
  cancelJob(id: JobId): Promise<void>;
  resumeJob(id: JobId): Promise<void>;
  /** Stops jobs, keeping what is stored; none of them starts meanwhile. */
  cancelJobs(ids: readonly JobId[]): Promise<void>;
  /** Queues ended jobs again in the order given; those that cannot be continued are passed over. */
  resumeJobs(ids: readonly JobId[]): Promise<void>;
  /** Stops jobs and takes them off the list; what they made stays in the store. */
  removeJobs(ids: readonly JobId[]): Promise<void>;
  /** Puts a waiting job elsewhere in the queue. */
  moveJob(id: JobId, move: QueueMove): Promise<void>;
  queueState(): Promise<QueueState>;
  /** Stops archive jobs from starting (the one that runs goes back to its place), or lets them go on. */
  pauseQueue(paused: boolean): Promise<void>;
  listRuns(slideId: SlideId | null): Promise<readonly Run[]>;
  removeRun(id: RunId): Promise<void>;

  /** Describes a map of a finished run, computing it if it is not cached; values come by `routes.mapValues`. */
  getMap(runId: RunId, spec: MapSpec): Promise<MapDescription>;
  /**
   * Describes a map as soon as there is something to see. Of a large ensemble's attention that is the first picture with
   * more heads than `models` (0 to begin with; `description.models` says how many it has): ask again with that number for
   * the next, until all are in. Its values come by `routes.mapValues` with the number. Throws Cancelled after `leaveMap`.
   */
  drawMap(runId: RunId, spec: MapSpec, models: number): Promise<MapDescription>;
  /** The map that `drawMap` began is no longer looked at: what nobody else waits for is given up. */
  leaveMap(runId: RunId, spec: MapSpec): Promise<void>;
  /** The tile at a place of the slide (level-0 pixels); null where the grid has none. */
  tileAt(runId: RunId, x0Px: number, y0Px: number): Promise<TileRef | null>;
  /** The tiles most like the given one by cosine similarity of features, best first, itself left out. */
  similarTiles(runId: RunId, tileIndex: number, count: number): Promise<readonly ScoredTile[]>;

  /**
   * Trains a study: features of every slide (stored ones are used), then heads per fold and seed on slide labels alone.
   * Throws InvalidRequest naming what is wrong with the plan.
   */
  startStudy(plan: StudyPlan): Promise<{ readonly studyId: StudyId; readonly jobId: JobId }>;
  /** What the splits of a plan would hold, nothing stored or trained. Throws as `startStudy`. */
  auditStudy(plan: StudyPlan): Promise<StudyAudit>;
  /** Keeps a study without training it. Throws as `startStudy`. */
  createStudy(plan: StudyPlan): Promise<Study>;
  /** Changes a study that is not trained; heads of an interrupted training go. Throws NotFound, and InvalidRequest where it is trained or under way. */
  updateStudy(id: StudyId, plan: StudyPlan): Promise<Study>;
  /** The feature files of TRIDENT or CLAM in a folder; only shapes are read. Throws FileUnreadable, NotFound where it holds none. */
  readFeatureFolder(grant: FileGrant): Promise<FeatureFolder>;
  /** Puts the features of one of them into the store; the same file twice is one run. Throws FileUnreadable, InvalidRequest, DiskFull. */
  importFeatureBag(request: FeatureImport): Promise<ImportedFeatures>;
  /** Queues the training of a study that was kept or interrupted. Throws NotFound, InvalidRequest where it is trained. */
  trainStudy(id: StudyId): Promise<{ readonly studyId: StudyId; readonly jobId: JobId }>;
  /** Splits of CLAM or Patho-Bench for the rows of a study. Throws InvalidRequest. */
  readStudySplits(
    files: readonly { readonly name: string; readonly text: string }[],
    rows: readonly StudyRow[],
  ): Promise<{
    readonly splitting: Extract<StudySplitting, { readonly kind: 'given' }>;
    readonly unknown: readonly string[];
  }>;
  /** Learning curves so far. */
  studyProgress(id: StudyId): Promise<StudyProgress>;
  /**
   * What a study's heads say of a finished run of its backbone and cut: heads that never saw the slide, or all where it
   * is not of the study. Throws NotFound, InvalidRequest.
   */
  predictSlide(id: StudyId, runId: RunId): Promise<SlidePrediction>;
  /**
   * Slides outside a study, and outside its external validations, that its heads were asked about, the latest first.
   * Throws NotFound.
   */
  listAskedSlides(id: StudyId): Promise<readonly AskedSlide[]>;
  /** Queues the judging of another study's slides by this one's heads, locked. Throws InvalidRequest where they overlap. */
  validateStudy(id: StudyId, otherId: StudyId): Promise<{ readonly jobId: JobId }>;
  /**
   * Queues the fine-tuning of a study's backbone and one of its heads together on the most attended tiles. It ends as a
   * new backbone and as a study of its own (`studyId`), judged on the same split's test part with all tiles.
   * Throws NotFound, InvalidRequest.
   */
  fineTuneStudy(request: FineTuneRequest): Promise<{ readonly studyId: StudyId; readonly jobId: JobId }>;
  /** What a fine-tuning would do and take; measures the backbone for some seconds. Throws as `fineTuneStudy`. */
  forecastFineTuning(request: FineTuneRequest): Promise<FineTuneForecast>;
  /**
   * A trained study as PDF report, CSV of predictions, or JSON of everything but the weights; of a fine-tuned one, the
   * similarity of its layers before and after as a figure.
   */
  exportStudy(id: StudyId, format: 'pdf' | 'csv' | 'json' | 'cka-svg' | 'cka-png'): Promise<ExportedFile>;
  /** Newest first. */
  listStudies(): Promise<readonly Study[]>;
  getStudy(id: StudyId): Promise<Study>;
  /** Removes the study and its heads; the features stay. */
  removeStudy(id: StudyId): Promise<void>;

  /** How far two maps of one slide agree, by place and rank. Throws NotFound; InvalidRequest for maps without an order. */
  compareMaps(a: MapSide, b: MapSide): Promise<MapAgreement>;

  /** The patch tasks in folders (or tables) and what is wrong with them. Throws NotAllowed, NotFound, InvalidRequest. */
  checkTasks(selection: TaskSelection): Promise<readonly TaskCheck[]>;
  /** Cuts annotated images into a patch task, as a job. Throws InvalidRequest, NotAllowed, NotFound. */
  makeTask(request: TaskMakingRequest): Promise<{ readonly jobId: JobId }>;
  /** What such a job of this session has made. Throws NotFound. */
  madeTask(jobId: JobId): Promise<MadePatchTask>;
  /** Judges backbones, cut by cut, on patch tasks as a job. Throws InvalidRequest, NotAllowed, NotFound. */
  startComparison(request: ComparisonRequest): Promise<{ readonly comparisonId: ComparisonId; readonly jobId: JobId }>;
  /** Newest first. */
  listComparisons(): Promise<readonly ComparisonEntry[]>;
  getComparison(id: ComparisonId): Promise<ComparisonRecord>;
  /** What stands behind a score: shares per class and misjudged images. `cut` may be `chosen`. Throws NotFound. */
  comparisonCell(id: ComparisonId, task: string, backbone: string, cut: string): Promise<ComparisonCell>;
  /** Removes the comparison; features it computed stay in its cache. */
  removeComparison(id: ComparisonId): Promise<void>;
  /** Names of the files a finished comparison can be exported as: CSV, JSON, Markdown, SVG, PNG. */
  listComparisonFiles(id: ComparisonId): Promise<readonly string[]>;
  /** One of these files; null = all in one archive. Throws NotFound, InvalidRequest, DiskFull. */
  exportComparison(id: ComparisonId, fileName: string | null): Promise<ExportedFile>;

  exportReport(runId: RunId, options: ReportOptions): Promise<ExportedFile>;
  exportTilesCsv(runId: RunId, maps: readonly MapSpec[]): Promise<ExportedFile>;
  /** A map over the slide with legend, scale bar and notice, as PNG. */
  exportMapFigure(runId: RunId, map: MapSpec): Promise<ExportedFile>;
  /** Everything that made the run and the maps, as JSON; without the slide's name. */
  exportRunRecord(runId: RunId, maps: readonly MapSpec[]): Promise<ExportedFile>;

  getSetting(key: string): Promise<string | null>;
  setSetting(key: string, value: string): Promise<void>;
}
