import type { BackboneOrigin } from './backbone.ts';
import type { TruncationStudy } from './truncation.ts';

/** A score with its bootstrap interval; both in 0..1. */
export interface ScoredInterval {
  readonly score: number;
  readonly bySeed: readonly number[];
  /** 0 with one seed. */
  readonly seedSd: number;
  /** 95 % bootstrap over groups; null where it was not asked for or does not exist. */
  readonly low: number | null;
  readonly high: number | null;
}

/** One cut of a backbone on one task. */
export interface CutScore extends ScoredInterval {
  readonly cut: string;
  readonly featureDim: number;
  readonly parameters: number;
  readonly flops: number;
  /** Measured on this machine, the network alone. */
  readonly msPerImage: number;
  /** Mean inner cross-validation score inside the training parts. */
  readonly innerScore: number;
  /** C (or k) of every part. */
  readonly chosen: readonly number[];
  /** Parts whose optimiser stopped at its limit. */
  readonly notConverged: number;
  /** Of the random twins, one per twin seed; empty for random backbones. */
  readonly random: readonly number[];
  /** KG = score - mean of the twins; null without twins. */
  readonly gain: number | null;
  readonly incrementalGain: number | null;
  readonly normalisedGain: number | null;
  readonly noBetterThanRandom: boolean | null;
}

export interface BackboneScore {
  readonly backbone: string;
  readonly cuts: readonly CutScore[];
  /** With the cut chosen inside each training part. */
  readonly chosen: ScoredInterval;
  /** How often each cut was chosen, by name. */
  readonly timesChosen: Readonly<Record<string, number>>;
  /** Of the random twins with their cuts chosen alike; empty for random backbones. */
  readonly random: readonly number[];
  /** The cheapest cut within the tolerance of the best, by parameters. */
  readonly sweetSpot: string | null;
  /** Cuts that no other one of this backbone beats in score and cost at once. */
  readonly pareto: {
    readonly parameters: readonly string[];
    readonly flops: readonly string[];
    readonly ms: readonly string[];
  };
}

export interface ControlScore {
  readonly name: string;
  readonly score: number;
}

export interface ConfoundAlarm {
  /** Null: the whole task; else two of its classes. */
  readonly classes: readonly [string, string] | null;
  readonly metric: 'AUC' | 'accuracy';
  readonly best: { readonly backbone: string; readonly score: number };
  readonly control: ControlScore;
  /** Part of what the best backbone gains over chance that the control reaches; above 1 where it beats it. */
  readonly reached: number;
  readonly alarm: boolean;
}

export interface PairVerdict {
  readonly a: string;
  readonly b: string;
  /** Score of B - score of A, with a 95 % interval of the paired bootstrap. */
  readonly difference: number;
  readonly low: number;
  readonly high: number;
  readonly test: 'DeLong' | 'McNemar' | 'paired bootstrap';
  readonly pValue: number;
  /** Holm, over all pairs of all tasks. */
  readonly correctedP: number;
  /** z of DeLong or of the bootstrap; odds of the disagreements for McNemar. */
  readonly effect: number;
  readonly effectName: 'z' | 'odds of disagreements';
  /** How large the difference is, whatever the number of images: Cohen's h of two accuracies, the difference of d' of two AUCs. */
  readonly effectSize?: number | null;
  readonly effectSizeName?: "Cohen's h" | "difference of d'";
  /** The rule |difference| > 2 max(sd over seeds): 1 where B is better, -1 where A is; null with one seed. */
  readonly twiceSd: -1 | 0 | 1 | null;
  readonly sentence: string;
}

/** A probe fitted on unchanged images, judged on changed ones. */
export interface ShiftedScore {
  readonly shift: string;
  readonly unit: string;
  readonly level: number;
  readonly score: number;
  /** Of the decision values with those of the unchanged images, -1..1; null where they do not vary. */
  readonly rankCorrelation: number | null;
}

export interface RobustnessCurve {
  readonly backbone: string;
  readonly cut: string;
  readonly images: number;
  readonly unchanged: number;
  readonly shifts: readonly ShiftedScore[];
}

export interface TaskComparison {
  readonly task: string;
  readonly classes: readonly string[];
  readonly images: number;
  readonly groups: number | null;
  readonly metric: 'AUC' | 'accuracy';
  readonly chance: number;
  /** How the parts were made, with their sizes. */
  readonly split: string;
  readonly notes: readonly string[];
  readonly backbones: readonly BackboneScore[];
  readonly controls: readonly ControlScore[];
  /** For the whole task first, then for every pair of classes where there are more than two. */
  readonly confounds: readonly ConfoundAlarm[];
  readonly pairs: readonly PairVerdict[];
  /** One for each backbone; empty where it was not asked for. */
  readonly robustness: readonly RobustnessCurve[];
}

export interface ComparedBackbone {
  readonly name: string;
  readonly sha256: string;
  readonly architecture: string;
  readonly origin: BackboneOrigin;
  readonly method: string;
  /** What its card had to assume. */
  readonly assumed: readonly string[];
}

/** Linear CKA, biased and unbiased, and the same with a Gaussian kernel. */
export interface CkaMatrix {
  readonly images: number;
  /** `backbone@cut`, in the order of rows and columns. */
  readonly layers: readonly string[];
  readonly biased: readonly (readonly number[])[];
  readonly unbiased: readonly (readonly number[])[];
  /** Images a batch at most: up to them every value is exact, beyond them HSIC is summed over batches. */
  readonly batch?: number;
  readonly rbf?: {
    /** Bandwidth as part of the median distance between images of a batch. */
    readonly threshold: number;
    readonly biased: readonly (readonly number[])[];
    readonly unbiased: readonly (readonly number[])[];
  };
}

/** How far fine-tuning moved each cut of a backbone, by CKA before against after, on the same images. */
export interface FineTuneChange {
  readonly before: string;
  readonly after: string;
  readonly cuts: readonly {
    readonly cut: string;
    readonly biased: number;
    readonly unbiased: number;
    readonly rbf: number;
  }[];
}

/** How far maps of a slide move when its tiles change; see `formula`. */
export interface MapRobustness {
  readonly slide: string;
  readonly backbone: string;
  readonly cut: string;
  readonly tiles: number;
  readonly formula: string;
  readonly shifts: readonly {
    readonly shift: string;
    readonly unit: string;
    readonly level: number;
    /** Spearman's, of the map of the changed tiles with that of the unchanged ones; null where a map does not vary. */
    readonly rankCorrelation: number | null;
  }[];
}

/** A whole comparison: everything its tables and figures show. */
export interface Comparison {
  readonly probe: 'svm' | 'logistic' | 'knn';
  readonly seeds: readonly number[];
  readonly twinSeeds: readonly number[];
  readonly resamples: number;
  readonly tolerance: number;
  readonly formulas: readonly string[];
  readonly backbones: readonly ComparedBackbone[];
  readonly tasks: readonly TaskComparison[];
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
  /** Over the tasks, in the order of `backbones`; null with a single task or backbone. */
  readonly ranks: {
    readonly average: readonly number[];
    readonly friedmanP: number;
    /** Null below five tasks and beyond ten backbones. */
    readonly criticalDifference: number | null;
  } | null;
  readonly cka: CkaMatrix | null;
  /** One for every backbone whose card says that it was fine-tuned from another of this comparison. */
  readonly fineTuned?: readonly FineTuneChange[];
  /** For every slide and backbone; empty where no slide was given. */
  readonly mapRobustness?: readonly MapRobustness[];
  /** What was compared with what, and so what no difference can be put down to; one sentence each. */
  readonly claims?: readonly string[];
  /** Every cut through attention pooling on slides beside the patches; absent where no slide study was chosen. */
  readonly truncation?: TruncationStudy;
  readonly seconds: number;
}
