import {
  type TrainingPreset,
  type TrainingSettings,
  trainingPreset,
} from '../../../src-shared/model/training-preset.ts';
import { ADAM } from '../graph/optimise/optimiser.ts';
import { TILE_PENALTIES } from '../learn/solve-tiles.ts';
import type { HeadTraining } from '../learn/train-head.ts';

/** A way to train that takes part in a proof. */
export interface ProofRecipe {
  readonly name: string;
  /** `reference`: HistoTransfer's own; `control`: pooling without attention; `candidate`: one of those chosen between. */
  readonly role: 'reference' | 'control' | 'candidate';
  readonly settings: TrainingSettings;
}

const published = (trainingPreset('histotransfer') as TrainingPreset).settings;

/** HistoTransfer's training, and the same training of the two poolings without attention. */
export const FIXED_RECIPES: readonly ProofRecipe[] = [
  { name: 'histotransfer', role: 'reference', settings: published },
  { name: 'mean pooling', role: 'control', settings: { ...published, pooling: 'mean' } },
  { name: 'max pooling', role: 'control', settings: { ...published, pooling: 'max' } },
];

/** Settings as the trainer takes them, for two classes of equal weight. */
export function headTraining(settings: TrainingSettings, featureDim: number, seed: number): HeadTraining {
  const {
    pooling,
    gated,
    featureDropout,
    tileDropout,
    entropyWeight,
    instanceWeight,
    tileWeight,
    solved,
    relabelled,
    ...training
  } = settings;
  return {
    ...training,
    ...(solved && { penalties: TILE_PENALTIES }),
    ...(relabelled && { backgroundClass: 0 }),
    spec: { pooling, gated, featureDim, classes: 2, seed },
    regularisers: { featureDropout, tileDropout, entropyWeight, instanceWeight, tileWeight },
    ...{ optimiser: ADAM, clipNorm: null, classWeights: [1, 1], seed },
  };
}
