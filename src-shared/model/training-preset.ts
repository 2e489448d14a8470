import type { PoolingName, StudyPlan } from './study.ts';

/** How a head is trained, under a name: what the training form fills in, and what the proofs choose between. */
export interface TrainingPreset {
  readonly name: string;
  readonly title: string;
  /** One sentence for the form. */
  readonly about: string;
  readonly settings: TrainingSettings;
}

export interface TrainingSettings {
  readonly pooling: PoolingName;
  readonly gated: boolean;
  readonly epochs: number;
  readonly rate: number;
  readonly weightDecay: number;
  /** Steps over which the learning rate rises; 0 = none. */
  readonly warmupSteps: number;
  /** Epochs without a better validation value before training stops; null = never early. */
  readonly patience: number | null;
  readonly keepBestBy: 'loss' | 'accuracy';
  /** Features at mean 0 and variance 1 of the training part. */
  readonly standardise: boolean;
  /** Share of embedding dimensions dropped per step. */
  readonly featureDropout: number;
  /** Share of tiles hidden from the attention per step. */
  readonly tileDropout: number;
  /** Weight of the attention's entropy. */
  readonly entropyWeight: number;
  /** Share of the loss taken by CLAM's instance loss. */
  readonly instanceWeight: number;
  /** Share of the loss in which every tile carries its slide's label. */
  readonly tileWeight: number;
  /** The linear score of tiles is solved for instead of trained in steps; mean pooling only. */
  readonly solved: boolean;
  /** Beside `solved`, of two classes: tiles get labels of their own and are solved for again. */
  readonly relabelled: boolean;
}

const HISTOTRANSFER: TrainingSettings = {
  ...{ pooling: 'histotransfer', gated: false, epochs: 20, rate: 1e-3, weightDecay: 0, warmupSteps: 0 },
  ...{ patience: null, keepBestBy: 'accuracy', standardise: false },
  ...{ featureDropout: 0, tileDropout: 0, entropyWeight: 0, instanceWeight: 0, tileWeight: 0 },
  ...{ solved: false, relabelled: false },
};

/** Kept by the loss, stopped early, on features of one scale: what all steady recipes share. */
const STEADY: TrainingSettings = {
  ...HISTOTRANSFER,
  ...{
    epochs: 20,
    patience: 6,
    keepBestBy: 'loss',
    standardise: true,
    weightDecay: 1e-3,
    warmupSteps: 120,
    rate: 3e-4,
  },
};

export const TRAINING_PRESETS: readonly TrainingPreset[] = [
  {
    name: 'histotransfer',
    title: 'HistoTransfer, as published',
    about: 'Adam at 0.001, 20 epochs, kept by validation accuracy. It can fail to learn on some features.',
    settings: HISTOTRANSFER,
  },
  {
    name: 'steady',
    title: 'HistoTransfer, steadied',
    about: 'The same head on standardised features, with dropout, weight decay, warm-up and early stopping by loss.',
    settings: { ...STEADY, featureDropout: 0.25, tileDropout: 0.25 },
  },
  {
    name: 'steady-tiles',
    title: 'HistoTransfer, steadied by its tiles',
    about: "As steadied; half of the loss asks every tile for its slide's label, so that no tile goes unheard.",
    settings: { ...STEADY, featureDropout: 0.25, tileWeight: 0.5 },
  },
  {
    name: 'steady-abmil',
    title: 'Gated ABMIL, steadied',
    about: 'One wide layer and gated attention, on standardised features, with dropout and early stopping by loss.',
    settings: { ...STEADY, pooling: 'abmil', gated: true, rate: 1e-4, featureDropout: 0.25, tileDropout: 0.25 },
  },
  {
    name: 'steady-clam',
    title: 'CLAM, steadied',
    about: 'Gated attention with an instance loss on the tiles at both ends, on standardised features.',
    settings: { ...STEADY, pooling: 'clam-sb', gated: true, rate: 1e-4, featureDropout: 0.25, instanceWeight: 0.3 },
  },
  {
    name: 'tiles',
    title: 'Linear, solved for',
    about:
      "No attention: the linear score of tiles that tells their slide's label best, averaged. It has one solution, so it cannot collapse.",
    settings: { ...HISTOTRANSFER, pooling: 'mean', keepBestBy: 'loss', standardise: true, tileWeight: 1, solved: true },
  },
  {
    name: 'tiles-relabelled',
    title: 'Linear, tiles relabelled',
    about:
      'As the linear score solved for; then, of positive slides, only the tiles that heads of other slides take for positive count, and it is solved again.',
    settings: {
      ...HISTOTRANSFER,
      ...{ pooling: 'mean', keepBestBy: 'loss', standardise: true, tileWeight: 1, solved: true, relabelled: true },
    },
  },
];

/** The preset of a name; null where there is none. */
export function trainingPreset(name: string): TrainingPreset | null {
  return TRAINING_PRESETS.find((preset) => preset.name === name) ?? null;
}

/** A preset's settings as a study's plan takes them. */
export function presetOfPlan({
  settings,
}: TrainingPreset): Pick<
  StudyPlan,
  | 'pooling'
  | 'gated'
  | 'epochs'
  | 'rate'
  | 'keepBestBy'
  | 'featureDropout'
  | 'tileDropout'
  | 'entropyWeight'
  | 'steadying'
> {
  const { standardise, weightDecay, warmupSteps, patience, tileWeight, ...rest } = settings;
  const { solved, relabelled, instanceWeight: _, ...plan } = rest;
  const solving = { ...(solved && { solved }), ...(relabelled && { relabelled }) };
  const steadying = { standardise, weightDecay, warmupSteps, patience, tileWeight, ...solving };
  return { ...plan, steadying };
}

/**
 * What relabelling takes for granted, by the names of the classes where there are two.
 * @param positiveClass any other text = the second in alphabetical order.
 */
export function relabellingAssumption(classes: readonly string[], positiveClass: string | null): string {
  const sorted = [...classes].sort();
  const positive = sorted.find((label) => label === positiveClass) ?? sorted[1];
  const other = sorted.find((label) => label !== positive);
  return sorted.length === 2
    ? `It takes for granted that slides labelled ${other} hold nothing of ${positive}, the positive class.`
    : 'For two classes, where slides of the other class hold nothing of the positive one.';
}
