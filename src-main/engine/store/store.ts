import type { BackboneCard } from '../../../src-shared/model/backbone.ts';
import type { Comparison } from '../../../src-shared/model/comparison.ts';
import type { ComparisonCell, ComparisonEntry } from '../../../src-shared/model/comparison-record.ts';
import type { StoreUsage } from '../../../src-shared/model/extraction.ts';
import type {
  BackboneId,
  ComparisonId,
  GridId,
  JobId,
  RunId,
  SlideId,
  StudyId,
} from '../../../src-shared/model/ids.ts';
import type { StoreStatus } from '../../../src-shared/model/installation.ts';
import type { Job } from '../../../src-shared/model/job.ts';
import type { MapDescription, MapSpec } from '../../../src-shared/model/map.ts';
import type { Provenance, Run, RunState } from '../../../src-shared/model/run.ts';
import type { SlideInfo } from '../../../src-shared/model/slide.ts';
import type { Study } from '../../../src-shared/model/study.ts';
import type { LaidGrid } from '../grid/laid-grid.ts';

/** A slide file the user has opened, as the store remembers it. */
export interface SlideRecord {
  readonly id: SlideId;
  /** Where the file was last seen. */
  readonly path: string;
  /** File name for display. */
  readonly name: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  readonly info: SlideInfo;
  /** The user's pixel size at level 0, µm; null = the file's own is in force. */
  readonly userMppUm: number | null;
  readonly openedAtMs: number;
  readonly isDemo: boolean;
}

/** A registered backbone and the file that holds its graph. */
export interface BackboneRecord {
  readonly card: BackboneCard;
  /** Name of the ONNX file inside the backbone folder (built-in backbones: what their registry understands). */
  readonly fileName: string;
}

/** What makes two extractions the same: one run exists per identity. */
export interface RunIdentity {
  readonly slideId: SlideId;
  readonly gridId: GridId;
  readonly backboneId: BackboneId;
  readonly cut: string;
  readonly normalisation: Provenance['normalisation'];
  readonly precision: Provenance['precision'];
}

/** The part of a run that changes while it is made. `tilesDone` is not here: it follows the stored chunks. */
export interface RunPatch {
  readonly state?: RunState;
  /** Seconds of extraction so far, pauses left out. */
  readonly secondsSpent?: number;
  readonly finishedAtMs?: number | null;
  readonly jobId?: JobId | null;
  readonly provenance?: Provenance;
}

/** Features of consecutive tiles of a run. */
export interface FeatureChunk {
  readonly runId: RunId;
  /** Index of the first tile in the grid's tile list; must equal `nextTile(runId)`. */
  readonly firstTile: number;
  readonly tileCount: number;
  /** Length of one feature vector. */
  readonly dim: number;
  /** tileCount x dim, row-major. Copied before the call returns: the caller may reuse the buffer at once. */
  readonly values: Float32Array;
}

/** A range of tiles of a run. */
export interface TileRange {
  readonly firstTile: number;
  readonly tileCount: number;
}

/** A computed map: rows x columns x channels float32, NaN where the grid has no tile (see MapDescription). */
export interface StoredMap {
  readonly description: MapDescription;
  readonly values: Float32Array;
}

/** What the heads of a study say of the tiles of a run, as its maker packs it. */
export interface StoredJudgement {
  readonly runId: RunId;
  readonly studyId: StudyId;
  /** Hash of everything that made it: one of another hash is out of date. */
  readonly madeBy: string;
  readonly factsJson: string;
  readonly values: Float32Array;
}

/** A head trained in a study. Spec and history are the trainer's own JSON; weights lie one after another by name. */
export interface StudyHeadRecord {
  readonly studyId: StudyId;
  readonly fold: number;
  readonly seed: number;
  readonly specJson: string;
  readonly bestEpoch: number;
  readonly historyJson: string;
  /** What it was trained on, a `TrainedOn`; null where that was not noted. */
  readonly trainedOnJson: string | null;
  readonly weights: Float32Array;
}

/** The slides of a study, one vector each, in the order of its plan. */
export interface StudyVectors {
  readonly studyId: StudyId;
  readonly dim: number;
  /** slides x dim, row-major. */
  readonly vectors: Float32Array;
}

/** A comparison and where the tasks lie that it reads; the paths stay in the engine. */
export interface ComparisonInput {
  readonly entry: ComparisonEntry;
  readonly paths: readonly string[];
}

/** The images of a task as they were when it was compared. */
export interface ComparedTask {
  readonly task: string;
  readonly images: readonly { readonly sha256: string; readonly path: string }[];
}

/** A job and what its runner needs to do it again after a restart. */
export interface JobRecord {
  readonly job: Job;
  /** JSON of the runner's own input; opaque to the store. */
  readonly payloadJson: string;
}

export type { StoreUsage };

/**
 * Everything Hyaline remembers, apart from how it is kept and reached. Each method is one transaction: it happens
 * whole or not at all, also when the process is killed in the middle.
 *
 * Every method rejects with an AppError. All: StoreDamaged (the advice says where the backups lie). Methods that
 * write: StoreReadOnly (a store of a newer version), DiskFull (nothing that was stored before is lost).
 */
export interface Store {
  /** Where the store lies, how large it is, whether it may be written and why not. */
  status(): Promise<StoreStatus>;

  /** Adds the slide, or replaces all that is known of it; what was computed from it stays. */
  putSlide(slide: SlideRecord): Promise<void>;
  getSlide(id: SlideId): Promise<SlideRecord | null>;
  /** Most recently opened first. */
  listSlides(): Promise<readonly SlideRecord[]>;
  /** Forgets the slide with its grids, runs, features, maps and jobs. Unknown ids are ignored. */
  forgetSlide(id: SlideId): Promise<void>;

  /** Adds a backbone, or replaces the card and file name kept under its id. */
  putBackbone(record: BackboneRecord): Promise<void>;
  getBackbone(id: BackboneId): Promise<BackboneRecord | null>;
  /** By name. */
  listBackbones(): Promise<readonly BackboneRecord[]>;
  /** Removes the record only: runs made by it stay, with the name they were made under. Unknown ids are ignored. */
  removeBackbone(id: BackboneId): Promise<void>;

  /** Keeps a grid with its tiles. A grid of that id is already the same one (ids are content hashes): left alone. */
  putGrid(laid: LaidGrid): Promise<void>;
  getGrid(id: GridId): Promise<LaidGrid | null>;

  /**
   * Records a run before its first chunk (`running` ones are `paused` when the store is next opened); its slide and grid must be stored (else NotFound). InvalidRequest when the id
   * or the identity is taken: ask `findRun` first.
   */
  createRun(run: Run): Promise<void>;
  getRun(id: RunId): Promise<Run | null>;
  findRun(identity: RunIdentity): Promise<Run | null>;
  /** Newest first; null = of all slides. */
  listRuns(slideId: SlideId | null): Promise<readonly Run[]>;
  /** NotFound for an unknown run. */
  updateRun(id: RunId, patch: RunPatch): Promise<Run>;
  /** Removes the run with its features and maps. Unknown ids are ignored. */
  removeRun(id: RunId): Promise<void>;

  /**
   * Appends features and moves the run's `tilesDone`, in one transaction; cached maps of the run are dropped.
   * InvalidRequest where the chunk does not continue the run (`firstTile`), overruns its grid, has another `dim` than
   * the run's provenance or another length than it says. Resolves to the new `tilesDone`.
   */
  appendFeatures(chunk: FeatureChunk): Promise<number>;
  /** The first tile without features: where an extraction continues. NotFound for an unknown run. */
  nextTile(runId: RunId): Promise<number>;
  /**
   * The features of a run (or of a range inside it) as one array, tiles x dim, row-major, in tile order. The array is
   * the caller's own, on a SharedArrayBuffer where the store runs on another thread, so that it can be handed on
   * without a copy. Holds `tilesDone` tiles when the run is unfinished.
   * @throws AppError NotFound; StoreDamaged naming the run when a checksum does not fit; InvalidRequest (range).
   */
  readFeatures(runId: RunId, range?: TileRange): Promise<Float32Array>;

  /** A hash of the features that are stored of a run, from their checksums; nothing is read but those. NotFound. */
  featureDigest(runId: RunId): Promise<string>;

  /** The cached map, or null. Specs are compared by content, whatever the order of their keys. */
  getMap(runId: RunId, spec: MapSpec): Promise<StoredMap | null>;
  /** Descriptions of all cached maps of a run. */
  listMaps(runId: RunId): Promise<readonly MapDescription[]>;
  /** Keeps a map under its description's run and spec, replacing one that is there. NotFound for an unknown run. */
  putMap(map: StoredMap): Promise<void>;

  /** What the heads of a study said of a run, or null; also where it is damaged, for it can be computed again. */
  getJudgement(runId: RunId, studyId: StudyId): Promise<StoredJudgement | null>;
  /** Keeps it in place of an earlier one; it goes with its run, its study, or its study's heads. NotFound without either. */
  putJudgement(judgement: StoredJudgement): Promise<void>;
  /** Runs the heads of a study have judged, the one first judged last first. */
  listJudgedRuns(studyId: StudyId): Promise<readonly RunId[]>;

  /** Adds or replaces a job. */
  putJob(record: JobRecord): Promise<void>;
  getJob(id: JobId): Promise<JobRecord | null>;
  /** Newest first. */
  listJobs(): Promise<readonly JobRecord[]>;
  removeJob(id: JobId): Promise<void>;

  /** Adds a study, or replaces what is kept under its id; its heads stay. */
  putStudy(study: Study): Promise<void>;
  getStudy(id: StudyId): Promise<Study | null>;
  /** Newest first. */
  listStudies(): Promise<readonly Study[]>;
  /** Removes the study with its heads; the features it was trained on stay. */
  removeStudy(id: StudyId): Promise<void>;
  /** Keeps a trained head, replacing that of the same fold and seed. */
  putStudyHead(head: StudyHeadRecord): Promise<void>;
  /** By fold and seed. StoreDamaged where a checksum does not fit. */
  listStudyHeads(id: StudyId): Promise<readonly StudyHeadRecord[]>;
  /** Before a study is trained anew with another plan. */
  dropStudyHeads(id: StudyId): Promise<void>;
  /** Keeps the slides of a study as vectors, replacing those that are there. NotFound for an unknown study. */
  putStudyVectors(vectors: StudyVectors): Promise<void>;
  /** Null before the study is trained. StoreDamaged where the checksum does not fit. */
  getStudyVectors(id: StudyId): Promise<StudyVectors | null>;

  /** Adds a comparison, or replaces what made it; a result that is there stays. */
  putComparison(input: ComparisonInput): Promise<void>;
  getComparison(id: ComparisonId): Promise<ComparisonInput | null>;
  /** Newest first. */
  listComparisons(): Promise<readonly ComparisonEntry[]>;
  /** Removes the comparison with its result. Unknown ids are ignored. */
  removeComparison(id: ComparisonId): Promise<void>;
  /** Keeps what came out of a comparison in place of an earlier result; nothing where it was removed meanwhile. */
  finishComparison(
    entry: ComparisonEntry,
    result: Comparison,
    tasks: readonly ComparedTask[],
    cells: readonly ComparisonCell[],
  ): Promise<void>;
  getComparisonResult(id: ComparisonId): Promise<Comparison | null>;
  listComparedTasks(id: ComparisonId): Promise<readonly ComparedTask[]>;
  getComparisonCell(id: ComparisonId, task: string, backbone: string, cut: string): Promise<ComparisonCell | null>;

  getSetting(key: string): Promise<string | null>;
  setSetting(key: string, value: string): Promise<void>;

  /** Sizes by slide and backbone, largest first. */
  usage(): Promise<readonly StoreUsage[]>;
}

/** A store somebody opened and has to close. */
export interface OpenedStore extends Store {
  /** Finishes what is under way, checkpoints, releases the lock. Calls after it reject with Cancelled. */
  close(): Promise<void>;
}
