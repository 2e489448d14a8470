import type { BackboneId, JobId, RunId, SlideId, StudyId } from './ids.ts';
import type { GridSpec, TissueParams } from './run.ts';

/** A slide of a study with its label and the patient it must stay with. */
export interface StudyRow {
  readonly slideId: SlideId;
  /** File name for display. */
  readonly slideName: string;
  readonly patient: string;
  readonly label: string;
}

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
  readonly folds: number;
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
}

/** HistoTransfer's recipe, with folds in place of its single split and the kept weights chosen by loss. */
export const DEFAULT_STUDY_TRAINING: Omit<
  StudyPlan,
  'name' | 'rows' | 'patientsUnknown' | 'backboneId' | 'cut' | 'grid' | 'tissue'
> = {
  pooling: 'histotransfer',
  gated: false,
  folds: 5,
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
  /** Standard deviation over the seeds. */
  readonly seedSd: number | null;
}

export interface StudyPrediction {
  readonly slideId: SlideId;
  readonly runId: RunId;
  readonly fold: number;
  /** One per class, by heads that never saw the slide, mean over seeds. */
  readonly probabilities: readonly number[];
}

export interface StudyPartAudit {
  readonly slides: number;
  readonly patients: number;
  readonly labels: Readonly<Record<string, number>>;
}

export interface StudyOutcome {
  readonly classes: readonly string[];
  readonly featureDim: number;
  readonly figures: readonly StudyFigure[];
  readonly predictions: readonly StudyPrediction[];
  readonly audits: readonly {
    readonly train: StudyPartAudit;
    readonly validation: StudyPartAudit;
    readonly test: StudyPartAudit;
  }[];
  readonly curves: readonly {
    readonly fold: number;
    readonly seed: number;
    readonly bestEpoch: number;
    readonly trainLoss: readonly number[];
    readonly validationLoss: readonly number[];
  }[];
  readonly versions: Readonly<Record<string, string>>;
  readonly finishedAtMs: number;
}

export interface Study {
  readonly id: StudyId;
  readonly createdAtMs: number;
  readonly plan: StudyPlan;
  /** Null until it has been trained. */
  readonly outcome: StudyOutcome | null;
  readonly jobId: JobId | null;
}
