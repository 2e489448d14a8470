import type { SlideTypicality } from '../../../src-shared/model/study.ts';
import type { Samples } from './linear-model.ts';
import type { Split } from './splits.ts';
import { fitTypicality, mahalanobis, type TypicalityModel, typicalityThreshold } from './typicality.ts';

/** A slide as one vector: the mean feature of its tiles. */
export type SlideVector = Float64Array;

/** One Gaussian per split, each fitted on what its heads were trained and selected on. */
export interface TrainingData {
  readonly models: readonly ScaledModel[];
  /** 95th percentile of the distances of held-out slides, each from the model that never saw it. */
  readonly threshold: number;
  /** Held-out slides the threshold comes from. */
  readonly heldOut: number;
}

interface ScaledModel {
  readonly model: TypicalityModel;
  /** Standard deviation of each feature over the training part: shrinkage towards a sphere needs one scale. */
  readonly scale: Float64Array;
}

/** A feature that hardly varies counts as if it varied by this part of the median feature. */
const LEAST_SCALE = 0.1;
/** Fewer held-out slides have no 95th percentile worth the name. */
const LEAST_HELD_OUT = 8;

/** tiles x dim to one vector. @param features at least one tile. */
export function slideVector(features: Float32Array, dim: number): SlideVector {
  const mean = new Float64Array(dim);
  const tiles = features.length / dim;
  for (let at = 0; at < features.length; at++) {
    const j = at % dim;
    mean[j] = (mean[j] as number) + (features[at] as number) / tiles;
  }
  return mean;
}

/**
 * What slides of this study look like: Mahalanobis distance with a shrunk covariance from the training and validation
 * parts of each split, and how far its test slides, held out of both, lie. Held-out, because training slides lie closer to their own mean.
 * Source: Lee et al. 2018 (distance), Ledoit and Wolf 2004 (covariance).
 * @returns null where there are too few slides to tell.
 */
export function describeTraining(vectors: readonly SlideVector[], splits: readonly Split[]): TrainingData | null {
  const models: ScaledModel[] = [];
  const distances: number[] = [];
  const measured = new Set<number>();
  for (const split of splits) {
    const model = fitOn([...split.train, ...split.validation].flatMap((i) => vectors[i] ?? []));
    if (model === null) continue;
    models.push(model);
    for (const i of split.test) {
      const vector = vectors[i];
      if (vector === undefined) continue;
      distances.push(distanceFrom(model, vector));
      measured.add(i);
    }
  }
  if (models.length === 0 || measured.size < LEAST_HELD_OUT) return null;
  return { models, threshold: typicalityThreshold(distances), heldOut: measured.size };
}

/** How far a slide lies from the training slides: the mean over the splits' models. */
export function compareWithTraining({ models, threshold }: TrainingData, vector: SlideVector): SlideTypicality {
  const distance = models.reduce((sum, model) => sum + distanceFrom(model, vector), 0) / models.length;
  return { distance, threshold, unlike: distance > threshold };
}

function fitOn(vectors: readonly SlideVector[]): ScaledModel | null {
  const dim = vectors[0]?.length ?? 0;
  if (vectors.length < 2) return null;
  const scale = spreads(vectors, dim);
  if (scale === null) return null;
  return { scale, model: fitTypicality(scaled(vectors, scale)) };
}

function distanceFrom({ model, scale }: ScaledModel, vector: SlideVector): number {
  return mahalanobis(model, scaled([vector], scale))[0] ?? Number.NaN;
}

function scaled(vectors: readonly SlideVector[], scale: Float64Array): Samples {
  const dim = scale.length;
  const data = new Float64Array(vectors.length * dim);
  vectors.forEach((vector, i) => {
    for (let j = 0; j < dim; j++) data[i * dim + j] = (vector[j] ?? 0) / (scale[j] ?? 1);
  });
  return { data, count: vectors.length, dim };
}

/** Standard deviation of each feature with a floor; null where no feature varies. */
function spreads(vectors: readonly SlideVector[], dim: number): Float64Array | null {
  const sd = Float64Array.from({ length: dim }, (_, j) => {
    const mean = vectors.reduce((sum, vector) => sum + (vector[j] ?? 0), 0) / vectors.length;
    return Math.sqrt(vectors.reduce((sum, vector) => sum + ((vector[j] ?? 0) - mean) ** 2, 0) / vectors.length);
  });
  const varying = sd.filter((value) => value > 0).sort();
  if (varying.length === 0) return null;
  const floor = LEAST_SCALE * (varying[Math.floor(varying.length / 2)] ?? 1);
  return sd.map((value) => Math.max(value, floor));
}
