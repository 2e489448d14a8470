import type { PoolingName } from './study.ts';

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
}

const HISTOTRANSFER: TrainingSettings = {
  ...{ pooling: 'histotransfer', gated: false, epochs: 20, rate: 1e-3, weightDecay: 0, warmupSteps: 0 },
  ...{ patience: null, keepBestBy: 'accuracy', standardise: false },
  ...{ featureDropout: 0, tileDropout: 0, entropyWeight: 0, instanceWeight: 0 },
};

/** Kept by the loss, stopped early, on features of one scale: what all steady recipes share. */
const STEADY: TrainingSettings = {
  ...HISTOTRANSFER,
  ...{ epochs: 40, patience: 8, keepBestBy: 'loss', standardise: true, weightDecay: 1e-3, warmupSteps: 120 },
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
    settings: { ...STEADY, rate: 3e-4, featureDropout: 0.25, tileDropout: 0.25 },
  },
  {
    name: 'steady-entropy',
    title: 'HistoTransfer, steadied, wide attention',
    about: 'As steadied, and the attention is rewarded for spreading over many tiles.',
    settings: { ...STEADY, rate: 3e-4, featureDropout: 0.25, tileDropout: 0.25, entropyWeight: 0.1 },
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
    name: 'steady-mean',
    title: 'Linear mean pooling, steadied',
    about: 'No attention: a linear score of each tile, averaged over the slide. Hard to collapse.',
    settings: { ...STEADY, pooling: 'mean', rate: 1e-3, weightDecay: 3e-2, featureDropout: 0.5 },
  },
];

/** The preset of a name; null where there is none. */
export function trainingPreset(name: string): TrainingPreset | null {
  return TRAINING_PRESETS.find((preset) => preset.name === name) ?? null;
}
