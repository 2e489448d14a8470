import type { CkaMatrix, FineTuneChange } from './comparison.ts';
import type { FineTuningRecord } from './fine-tune.ts';
import type { BackboneId, JobId, RunId, SlideId, StudyId } from './ids.ts';
import type { GridSpec, TissueParams } from './run.ts';
import type { SlideTypicality } from './typicality.ts';

/** A slide of a study with its label and the patient it must stay with. */
export interface StudyRow {
  readonly slideId: SlideId;
  /** File name for display. */
  readonly slideName: string;
  readonly patient: string;
  readonly label: string;
  /** Where it was scanned or cut; empty where the table does not say. */
  readonly site: string;
  /** Features that were imported, or chosen by hand; null = extracted with the study's backbone and tiles. */
  readonly runId: RunId | null;
  /** What the table says besides, by column name; absent = nothing. Kept and exported, used by nothing. */
  readonly columns?: Readonly<Record<string, string>>;
}

/** The parts of a study by slide. */
export interface StudySplit {
  readonly train: readonly SlideId[];
  readonly validation: readonly SlideId[];
  readonly test: readonly SlideId[];
}

/**
 * How slides are dealt into training, validation and test parts.
 * - `folds`: cross-validation, each fold tested once, the next one for validation; all of it `repeats` times with other folds.
 * - `shares`: one split by shares, `repeats` times with other draws.
 * - `given`: splits of another tool. Where one has no validation part, one is taken from its training part.
 * - `none`: the study is not trained; others are validated on it.
 */
export type StudySplitting =
  | { readonly kind: 'folds'; readonly folds: number; readonly repeats: number }
  | {
      readonly kind: 'shares';
      readonly train: number;
      readonly validation: number;
      readonly test: number;
      readonly repeats: number;
    }
  | { readonly kind: 'given'; readonly from: string; readonly splits: readonly StudySplit[] }
  | { readonly kind: 'none' };

/** Where sensitivity and specificity are read off: chosen on the validation part, applied to the test part. */
export type OperatingRule = { readonly kind: 'youden' } | { readonly kind: 'sensitivity'; readonly atLeast: number };

export type PoolingName = 'histotransfer' | 'abmil' | 'clam-sb' | 'mean' | 'max';

/** Everything a study is made from; stored with its results. */
export interface StudyPlan {
  readonly name: string;
  readonly rows: readonly StudyRow[];
  /** True where the labels named no patients: every slide counts as one, intervals are optimistic. */
  readonly patientsUnknown: boolean;
  readonly backboneId: BackboneId;
  readonly cut: string | null;
  readonly grid: GridSpec;
  readonly tissue: TissueParams;
  readonly pooling: PoolingName;
  readonly gated: boolean;
  readonly splitting: StudySplitting;
  /** What must not lie in two parts of a split; `site` keeps patients whole as well. */
  readonly groupBy: 'patient' | 'site';
  /** The class that counts as positive where there are two; null = the second in alphabetical order. */
  readonly positiveClass: string | null;
  readonly operatingRule: OperatingRule;
  readonly splitSeed: number;
  readonly seeds: readonly number[];
  readonly epochs: number;
  readonly rate: number;
  readonly keepBestBy: 'loss' | 'accuracy';
  readonly balanceClasses: boolean;
  /** Training-time aids against collapse; 0 = off. */
  readonly featureDropout: number;
  readonly tileDropout: number;
  readonly entropyWeight: number;
  /** The study this one is a changed version of; absent = of none. */
  readonly basedOn?: { readonly id: StudyId; readonly name: string };
  /** What a steadied training does besides; absent = HistoTransfer's own, which does none of it. */
  readonly steadying?: StudySteadying;
  /** Set where its backbone and heads came of another study by fine-tuning; its splits are that study's split. */
  readonly fineTuning?: FineTuningRecord;
}

/** See `TrainingSettings`. */
export interface StudySteadying {
  readonly standardise: boolean;
  readonly weightDecay: number;
  readonly warmupSteps: number;
  readonly patience: number | null;
  readonly tileWeight: number;
  /** True: weights are solved for, and of all these settings only the seeds' splits act; absent = trained in steps. */
  readonly solved?: boolean;
  /**
   * Beside `solved`, with two classes: slides that are not of the positive class are taken to hold nothing of it, tiles get
   * labels of their own, and are solved for again; absent = every tile carries its slide's label.
   */
  readonly relabelled?: boolean;
}

/** HistoTransfer's own training. */
export const NOT_STEADIED: StudySteadying = {
  ...{ standardise: false, weightDecay: 0, warmupSteps: 0, patience: null, tileWeight: 0 },
};

/** Seeds from which on their spread is worth reading beside that of patients. */
const ADVISED_SEEDS = 5;

/** A sentence where a study was trained with so few seeds that their spread says little; else empty. */
export function fewSeedsNote(seeds: number): string {
  if (seeds >= ADVISED_SEEDS) return '';
  return `${seeds} ${seeds === 1 ? 'seed' : 'seeds'} only: how much chance in training matters takes at least ${ADVISED_SEEDS} to tell.`;
}

/** HistoTransfer's recipe, with folds in place of its single split and the kept weights chosen by loss. */
export const DEFAULT_STUDY_TRAINING: Omit<
  StudyPlan,
  'name' | 'rows' | 'patientsUnknown' | 'backboneId' | 'cut' | 'grid' | 'tissue'
> = {
  pooling: 'histotransfer',
  gated: false,
  splitting: { kind: 'folds', folds: 5, repeats: 1 },
  groupBy: 'patient',
  positiveClass: null,
  operatingRule: { kind: 'youden' },
  splitSeed: 1,
  seeds: [1, 2, 3, 4, 5],
  epochs: 20,
  rate: 1e-3,
  keepBestBy: 'loss',
  balanceClasses: true,
  featureDropout: 0,
  tileDropout: 0,
  entropyWeight: 0,
};

export interface StudyFigure {
  readonly name: string;
  /** Mean of the folds' own values; null where it does not exist. */
  readonly value: number | null;
  readonly byFold: readonly (number | null)[];
  /** 95 % bootstrap over patients; null where it does not exist. */
  readonly low: number | null;
  readonly high: number | null;
  /** Standard deviation over the bootstrap's patients; null where it does not exist. */
  readonly patientSd: number | null;
  /** Standard deviation over the seeds; null with a single one. */
  readonly seedSd: number | null;
}

export interface StudyPrediction {
  readonly slideId: SlideId;
  readonly runId: RunId;
  /** Number of the split that tested it, from 0. */
  readonly fold: number;
  /** One per class, by heads that never saw the slide, mean over seeds. */
  readonly probabilities: readonly number[];
  /** Standard deviation over the seeds of the probability of each class. */
  readonly spread: readonly number[];
}

export interface StudyPartAudit {
  readonly slides: number;
  readonly patients: number;
  /** Sites the slides come from; 0 where none are named. */
  readonly sites: number;
  readonly labels: Readonly<Record<string, number>>;
}

export interface StudySplitAudit {
  readonly train: StudyPartAudit;
  readonly validation: StudyPartAudit;
  readonly test: StudyPartAudit;
  /** Slides of the study that the split does not name. */
  readonly leftOut: number;
}

/** What a plan would do, looked at before anything is trained. */
export interface StudyAudit {
  readonly classes: readonly string[];
  readonly positiveClass: string | null;
  readonly splits: readonly StudySplitAudit[];
  /** True where a validation part was taken from the training part of a given split. */
  readonly validationTaken: boolean;
}

export interface StudyCurve {
  readonly fold: number;
  readonly seed: number;
  readonly bestEpoch: number;
  readonly trainLoss: readonly number[];
  readonly validationLoss: readonly number[];
}

/** One point of a curve over fractions of tiles. */
export interface CheckCurve {
  /** Share of tiles taken away (deletion) or put back (insertion), 0..1, ascending. */
  readonly share: readonly number[];
  /** Mean probability of the class the heads predict on the whole slide. */
  readonly probability: readonly number[];
}

/** What is known against (or for) reading the attention of a study as a map. */
export interface StudyMapChecks {
  /** Slides the curves and ranks are means of. */
  readonly slides: number;
  /** Most attended tiles taken away first. */
  readonly deletion: CheckCurve;
  /** Most attended tiles put in first. */
  readonly insertion: CheckCurve;
  /** Tiles taken away in random order: what deletion has to beat. */
  readonly randomDeletion: CheckCurve;
  /** Mean Spearman correlation of attention between two seeds of a fold; null with a single seed. */
  readonly seedAgreement: number | null;
  /** Heads of the same recipe trained on shuffled labels; null where none were. */
  readonly shuffled: {
    readonly heads: number;
    /** Mean AUC on test slides; near 0.5 when nothing leaks. Null where it does not exist. */
    readonly auc: number | null;
    /** Mean Spearman correlation of their attention with the study's: high = the map hardly depends on the labels. */
    readonly agreement: number;
    readonly deletion: CheckCurve;
  } | null;
}

/** A study's heads, locked, on the slides of another study. */
export interface ExternalValidation {
  readonly studyId: StudyId;
  readonly studyName: string;
  readonly finishedAtMs: number;
  /** SHA-256 of the heads that were locked. */
  readonly headsSha256: string;
  readonly slides: number;
  readonly patients: number;
  readonly patientsUnknown: boolean;
  readonly figures: readonly StudyFigure[];
  readonly predictions: readonly Omit<StudyPrediction, 'fold'>[];
  /** Threshold in force: the median of the folds', chosen inside the first study. Null with more than two classes. */
  readonly threshold: number | null;
  /** Slides that lie outside the training data of the first study; null where that is too small to tell. */
  readonly unlike: number | null;
}

/** What a training ran on, and why not on something faster. */
export interface TrainedOn {
  /** CPU, WebGPU, CUDA, ... */
  readonly device: string;
  readonly refused: readonly { readonly name: string; readonly reason: string }[];
}

export interface StudyOutcome {
  readonly classes: readonly string[];
  /** Null with more than two classes. */
  readonly positiveClass: string | null;
  readonly featureDim: number;
  readonly figures: readonly StudyFigure[];
  readonly predictions: readonly StudyPrediction[];
  readonly audits: readonly StudySplitAudit[];
  /** Who was where, so that anybody can check it. */
  readonly splits: readonly StudySplit[];
  /** Threshold on the positive class of each fold, chosen on its validation part; empty with more than two classes. */
  readonly thresholds: readonly number[];
  readonly curves: readonly StudyCurve[];
  readonly checks: StudyMapChecks | null;
  readonly external: readonly ExternalValidation[];
  readonly versions: Readonly<Record<string, string>>;
  readonly finishedAtMs: number;
  /** What its heads were trained on, each once; absent where they were all trained before it was noted. */
  readonly trainedOn?: readonly TrainedOn[];
  /** What its heads judged validation and test slides on at the end, each once; absent where it was not noted: the CPU. */
  readonly evaluatedOn?: readonly TrainedOn[];
  /** Of a fine-tuned study. */
  readonly tunedChange?: TunedChange;
}

/** What the heads of a study say of one slide. */
export interface SlidePrediction {
  readonly studyId: StudyId;
  readonly runId: RunId;
  readonly classes: readonly string[];
  /** Mean over the heads that judge, one per class. */
  readonly probabilities: readonly number[];
  /** Standard deviation over those heads. */
  readonly spread: readonly number[];
  readonly lowest: readonly number[];
  readonly highest: readonly number[];
  readonly heads: number;
  /**
   * `unseen`: not of the study, all heads judge. `tested`: by the heads of the folds that tested it. `trained`: every head
   * saw it. `tuned`: the heads that judge never saw it, but their backbone was fine-tuned on it or on its patient.
   */
  readonly seen: 'unseen' | 'tested' | 'trained' | 'tuned';
  /** Mean Spearman correlation of the heads' attention; null with one head. */
  readonly agreement: number | null;
  /** Null where the study is too small to tell. */
  readonly typicality: SlideTypicality | null;
}

/** A slide outside a study that its heads were asked about. */
export interface AskedSlide {
  /** File name for display. */
  readonly name: string;
  readonly features: {
    readonly slideId: SlideId;
    readonly runId: RunId;
    readonly tiles: number;
    /** False where only its features are known: there is nothing to draw a map on. */
    readonly hasSlide: boolean;
  };
  readonly prediction: SlidePrediction;
}

/** Where the training of a study stands. */
export interface StudyProgress {
  readonly curves: readonly StudyCurve[];
  readonly headsDone: number;
  readonly heads: number;
}

/** How fine-tuning moved a backbone, layer by layer, on tiles it was neither trained nor chosen on. */
export interface TunedChange {
  readonly testSlides: number;
  /** All cuts before (`NAME@CUT`) and after. */
  readonly cka: CkaMatrix;
  readonly change: FineTuneChange;
}

export interface Study {
  readonly id: StudyId;
  readonly createdAtMs: number;
  readonly plan: StudyPlan;
  /** Null until it has been trained. */
  readonly outcome: StudyOutcome | null;
  readonly jobId: JobId | null;
}
