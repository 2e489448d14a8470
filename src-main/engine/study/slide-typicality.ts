import type { SlideTypicality } from '../../../src-shared/model/study.ts';
import { sortedQuantile } from '../../../src-shared/numeric/quantile.ts';
import type { Samples } from './linear-model.ts';
import type { Split } from './splits.ts';
import { fitTypicality, mahalanobis, type TypicalityModel, typicalityThreshold } from './typicality.ts';

/** A slide as one vector: the mean of each feature over its tiles, then the standard deviation of each over them. */
export type SlideVector = Float64Array;

/** One pair of Gaussians per split, each fitted on what its heads were trained and selected on. */
export interface TrainingData {
  readonly models: readonly SplitModel[];
  /** 95th percentile of the distances of held-out slides, each from the model that never saw it. */
  readonly threshold: number;
  /** Held-out slides the threshold comes from. */
  readonly heldOut: number;
}

interface SplitModel {
  readonly parts: readonly PartModel[];
}

/** What the slides look like in their means, or in their spreads. */
interface PartModel extends ScaledModel {
  readonly view: View;
  /** Median distance of held-out slides, over all splits: the unit in which the two are compared. */
  readonly unit: number;
}

/** Takes one half of a slide's vector. */
type View = (vector: SlideVector) => Float64Array;

interface ScaledModel {
  readonly model: TypicalityModel;
  /** Standard deviation of each feature over the training part: shrinkage towards a sphere needs one scale. */
  readonly scale: Float64Array;
}

/** A feature that hardly varies counts as if it varied by this part of the median feature. */
const LEAST_SCALE = 0.1;
/** A feature that no tile of a slide differs in counts as if it varied by this part of its usual spread. */
const LEAST_SPREAD = 0.01;
/** Fewer held-out slides have no 95th percentile worth the name. */
const LEAST_HELD_OUT = 8;

/** tiles x dim to one vector of 2 dim numbers. @param features at least one tile. */
export function slideVector(features: Float32Array, dim: number): SlideVector {
  const vector = new Float64Array(2 * dim);
  const tiles = features.length / dim;
  for (let at = 0; at < features.length; at++) {
    const j = at % dim;
    vector[j] = (vector[j] as number) + (features[at] as number) / tiles;
  }
  for (let at = 0; at < features.length; at++) {
    const j = at % dim;
    const off = (features[at] as number) - (vector[j] as number);
    vector[dim + j] = (vector[dim + j] as number) + (off * off) / tiles;
  }
  for (let j = dim; j < 2 * dim; j++) vector[j] = Math.sqrt(vector[j] as number);
  return vector;
}

/**
 * What slides of this study look like: Mahalanobis distance with a shrunk covariance from the training and validation
 * parts of each split, and how far its test slides, held out of both, lie. Held-out, because training slides lie closer
 * to their own mean. Twice: in the means of their features, and in how much those vary from tile to tile (logarithm of
 * the standard deviation), which blur changes most and few slides suffice to know; the larger distance counts, each in
 * units of the median held-out slide's.
 * Source: Lee et al. 2018 (distance), Ledoit and Wolf 2004 (covariance).
 *
 * @param featureDim features of a tile; vectors of earlier versions hold their means only.
 * @returns null where there are too few slides to tell.
 */
export function describeTraining(
  vectors: readonly SlideVector[],
  splits: readonly Split[],
  featureDim: number,
): TrainingData | null {
  const views = viewsOf(vectors, featureDim);
  const fitted = splits.flatMap((split) => {
    const members = [...split.train, ...split.validation].flatMap((i) => vectors[i] ?? []);
    const parts = views.flatMap((view) => {
      const model = fitOn(members.map(view));
      return model === null ? [] : [{ ...model, view }];
    });
    return parts.length < views.length ? [] : [{ parts, test: split.test }];
  });
  const measured = new Set(fitted.flatMap(({ test }) => test.filter((i) => vectors[i] !== undefined)));
  if (fitted.length === 0 || measured.size < LEAST_HELD_OUT) return null;
  const units = views.map((view, part) =>
    median(
      fitted.flatMap(({ parts, test }) => {
        const model = parts[part];
        return model === undefined
          ? []
          : test.flatMap((i) => vectors[i] ?? []).map((v) => distanceFrom(model, view(v)));
      }),
    ),
  );
  const models = fitted.map(({ parts }) => ({
    parts: parts.map((model, part) => ({ ...model, unit: units[part] || 1 })),
  }));
  const heldOut = fitted.flatMap(({ test }, at) => {
    const model = models[at];
    return model === undefined ? [] : test.flatMap((i) => vectors[i] ?? []).map((vector) => furthest(model, vector));
  });
  return { models, threshold: typicalityThreshold(heldOut), heldOut: measured.size };
}

/** How far a slide lies from the training slides: the mean over the splits' models. */
export function compareWithTraining({ models, threshold }: TrainingData, vector: SlideVector): SlideTypicality {
  const distance = models.reduce((sum, model) => sum + furthest(model, vector), 0) / models.length;
  return { distance, threshold, unlike: distance > threshold };
}

const furthest = ({ parts }: SplitModel, vector: SlideVector): number =>
  Math.max(...parts.map((model) => distanceFrom(model, model.view(vector)) / model.unit));

/** The means and, where the vectors hold them, the logarithms of the spreads. */
function viewsOf(vectors: readonly SlideVector[], featureDim: number): readonly View[] {
  const means: View = (vector) => vector.subarray(0, featureDim);
  if ((vectors[0]?.length ?? 0) < 2 * featureDim) return [means];
  const usual = Float64Array.from({ length: featureDim }, (_, j) =>
    median(vectors.map((vector) => vector[featureDim + j] ?? 0)),
  );
  const least = LEAST_SPREAD * (median([...usual].filter((spread) => spread > 0)) || 1);
  return [
    means,
    (vector) =>
      usual.map((spread, j) => Math.log((vector[featureDim + j] ?? 0) + Math.max(LEAST_SPREAD * spread, least))),
  ];
}

function median(values: readonly number[]): number {
  return sortedQuantile(Float64Array.from(values).sort(), 0.5);
}

function fitOn(vectors: readonly Float64Array[]): ScaledModel | null {
  const dim = vectors[0]?.length ?? 0;
  if (vectors.length < 2) return null;
  const scale = spreads(vectors, dim);
  if (scale === null) return null;
  return { scale, model: fitTypicality(scaled(vectors, scale)) };
}

function distanceFrom({ model, scale }: ScaledModel, vector: Float64Array): number {
  return mahalanobis(model, scaled([vector], scale))[0] ?? Number.NaN;
}

function scaled(vectors: readonly Float64Array[], scale: Float64Array): Samples {
  const dim = scale.length;
  const data = new Float64Array(vectors.length * dim);
  vectors.forEach((vector, i) => {
    for (let j = 0; j < dim; j++) data[i * dim + j] = (vector[j] ?? 0) / (scale[j] ?? 1);
  });
  return { data, count: vectors.length, dim };
}

/** Standard deviation of each feature with a floor; null where no feature varies. */
function spreads(vectors: readonly Float64Array[], dim: number): Float64Array | null {
  const sd = Float64Array.from({ length: dim }, (_, j) => {
    const mean = vectors.reduce((sum, vector) => sum + (vector[j] ?? 0), 0) / vectors.length;
    return Math.sqrt(vectors.reduce((sum, vector) => sum + ((vector[j] ?? 0) - mean) ** 2, 0) / vectors.length);
  });
  const varying = sd.filter((value) => value > 0).sort();
  if (varying.length === 0) return null;
  const floor = LEAST_SCALE * (varying[Math.floor(varying.length / 2)] ?? 1);
  return sd.map((value) => Math.max(value, floor));
}
