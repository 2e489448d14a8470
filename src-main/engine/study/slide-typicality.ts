import type { SlideTypicality, TypicalityPart } from '../../../src-shared/model/typicality.ts';
import { quantiles } from '../../../src-shared/numeric/quantile.ts';
import { featureMoments } from '../learn/feature-moments.ts';
import {
  APPEARANCE_DIM,
  COLOUR_DIM,
  DENSITY_AT,
  HUE_AT,
  MIXTURE_AT,
  SHARPNESS_AT,
} from '../tissue/slide-appearance.ts';
import type { Samples } from './linear-model.ts';
import { differencesFrom } from './slide-traits.ts';
import type { Split } from './splits.ts';
import { fitTypicality, heldOutQuantile, mahalanobis, type TypicalityModel } from './typicality.ts';

/**
 * A slide as one vector: the mean of each feature over its tiles, the standard deviation of each over them, and what
 * its pixels look like (APPEARANCE_DIM numbers, NaN where they are not at hand).
 */
export type SlideVector = Float64Array;

/** Gaussians for each split, fitted on what its heads were trained and selected on. */
export interface TrainingData {
  readonly models: readonly SplitModel[];
  /** True where a slide's pixels are asked for. */
  readonly knowsPixels: boolean;
  /** What slides are compared in: what is known of enough slides of the study. */
  readonly parts: readonly TypicalityPart[];
  /** Held-out slide x part: distances in units, each from models that never saw the slide; NaN for an unknown part. */
  readonly distances: readonly (readonly number[])[];
  /** What all slides of the study look like, for the direction in which another differs. */
  readonly appearances: readonly Float64Array[];
  readonly featureDim: number;
}

/** One model a part, in the order of `TrainingData.parts`. */
type SplitModel = readonly PartModel[];

/** What the slides look like in one part of their vectors. */
interface PartModel extends ScaledModel {
  readonly view: View;
  /** Distance that few held-out slides exceed: the unit in which the parts are compared. */
  readonly unit: number;
}

/** Takes one part of a slide's vector. */
interface View {
  readonly part: TypicalityPart;
  readonly of: (vector: SlideVector) => Float64Array;
}

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
/** Of fewer held-out slides the largest distance is less than a 95th percentile: then the unit counts, if it is larger. */
const ENOUGH_HELD_OUT = 19;
/** Standard normal quantile of 1 - 0.05 / 5: what one of five parts may exceed that one slide in twenty is warned of. */
const UNIT_DEVIATIONS = 2.33;

/**
 * tiles x dim to one vector of 2 dim + APPEARANCE_DIM numbers; zeros and the appearance where there are no tiles.
 * @param appearance see `measureAppearance`; null = its pixels are not at hand.
 */
export function slideVector(features: Float32Array, dim: number, appearance: Float64Array | null = null): SlideVector {
  return vectorOf(featureMoments(features, dim), appearance);
}

/** The vector of a slide whose features were looked at before. @param moments see `featureMoments`. */
export function vectorOf(moments: Float64Array, appearance: Float64Array | null): SlideVector {
  const vector = new Float64Array(moments.length + APPEARANCE_DIM);
  vector.set(moments);
  vector.set(appearance ?? new Float64Array(APPEARANCE_DIM).fill(Number.NaN), moments.length);
  return vector;
}

/**
 * What slides of this study look like: Mahalanobis distances with shrunk covariances from the training and validation
 * parts of each split, and how far its test slides, held out of both, lie. Held-out, because training slides lie closer
 * to their own mean. Measured apart, because few changed numbers drown among a thousand unchanged ones: the means of
 * their features; how much those vary from tile to tile (logarithm of the standard deviation); and, where enough slides'
 * are known, the sharpness of their tissue, the hues of its stains, and how dense they are and mix, which backbones may
 * ignore or never see.
 * The largest distance counts, each in units of what few held-out slides exceed; the threshold is the 95th percentile of
 * held-out slides' largest distances, so that looking at five parts warns no more often than looking at one.
 * Source: Lee et al. 2018 (distance), Ledoit and Wolf 2004 (covariance).
 *
 * @param featureDim features of a tile; vectors of earlier versions hold less of the pixels, none of them, or means only.
 * @returns null where there are too few slides to tell.
 */
export function describeTraining(
  vectors: readonly SlideVector[],
  splits: readonly Split[],
  featureDim: number,
): TrainingData | null {
  const tested = new Set(splits.flatMap(({ test }) => test));
  const views = viewsOf(vectors, (i) => tested.has(i), featureDim);
  const fitted = splits.flatMap((split) => {
    const members = [...split.train, ...split.validation].flatMap((i) => vectors[i] ?? []);
    const parts = views.flatMap((view) => {
      const model = fitOn(members.map(view.of).filter(isKnown));
      return model === null ? [] : [{ ...model, view, unit: 1 }];
    });
    return parts.length < views.length ? [] : [{ parts, test: split.test }];
  });
  const away = new Map<number, number[][]>();
  for (const { parts, test } of fitted) {
    for (const i of test) {
      const vector = vectors[i];
      if (vector !== undefined) away.set(i, [...(away.get(i) ?? []), distances(parts, vector)]);
    }
  }
  if (fitted.length === 0 || away.size < LEAST_HELD_OUT) return null;
  const rows = [...away.values()].map(columnMeans);
  const units = views.map((_, part) => unitOf(rows.map((row) => row[part] ?? Number.NaN)));
  return {
    models: fitted.map(({ parts }) => parts.map((model, part) => ({ ...model, unit: units[part] ?? 1 }))),
    parts: views.map(({ part }) => part),
    knowsPixels: views.some(({ part }) => PIXEL_PARTS.includes(part)),
    distances: rows.map((row) => row.map((distance, part) => distance / (units[part] ?? 1))),
    appearances: vectors.map((vector) => vector.subarray(2 * featureDim)),
    featureDim,
  };
}

/** How far a slide lies from the training slides: the mean over the splits' models, in the parts that are known of it. */
export function compareWithTraining(training: TrainingData, vector: SlideVector): SlideTypicality {
  const { models, featureDim } = training;
  const known = (models[0] ?? []).flatMap(({ view }, at) => (isKnown(view.of(vector)) ? [at] : []));
  const away = columnMeans(models.map((model) => distances(model, vector)));
  const largest = (row: readonly number[]): number => Math.max(...known.map((at) => row[at] ?? 0));
  const heldOut = training.distances.filter((row) => known.every((at) => Number.isFinite(row[at])));
  const percentile = heldOutQuantile(heldOut.map(largest), 0.95);
  const threshold = heldOut.length < ENOUGH_HELD_OUT ? Math.max(1, percentile) : percentile;
  const parts = known.flatMap((at) => {
    const [part, distance] = [training.parts[at], away[at]];
    return part === undefined || distance === undefined ? [] : [{ part, distance }];
  });
  const distance = largest(away);
  return {
    ...{ distance, threshold, unlike: distance > threshold },
    parts: parts.sort((a, b) => b.distance - a.distance),
    notCompared: PIXEL_PARTS.filter((part) => !parts.some((compared) => compared.part === part)),
    differences: differencesFrom(training.appearances, vector.subarray(2 * featureDim)),
  };
}

const PIXEL_PARTS: readonly TypicalityPart[] = ['sharpness', 'colours', 'density'];

/** Part by part, in units; NaN for parts that are not known of the slide. */
const distances = (model: SplitModel, vector: SlideVector): number[] =>
  model.map((part) => distanceFrom(part, part.view.of(vector)) / part.unit);

const columnMeans = (rows: readonly (readonly number[])[]): number[] =>
  Array.from(rows[0] ?? [], (_, at) => mean(rows.map((row) => row[at] ?? Number.NaN)));

const isKnown = (part: Float64Array): boolean => part.every(Number.isFinite);

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/**
 * The distance UNIT_DEVIATIONS above the mean of a further slide, where its cube root squared counts as normal: a
 * percentile of ten slides would be chance. Source: Wilson and Hilferty 1931.
 */
function unitOf(heldOut: readonly number[]): number {
  const roots = heldOut.filter(Number.isFinite).map((distance) => distance ** (2 / 3));
  const n = roots.length;
  const middle = mean(roots);
  const spread = Math.sqrt(roots.reduce((sum, root) => sum + (root - middle) ** 2, 0) / (n - 1));
  return (middle + UNIT_DEVIATIONS * Math.sqrt(1 + 1 / n) * spread) ** 1.5 || 1;
}

/** The parts of the slides' vectors that are known of enough held-out ones. */
function viewsOf(
  vectors: readonly SlideVector[],
  isHeldOut: (slide: number) => boolean,
  featureDim: number,
): readonly View[] {
  const held = vectors[0]?.length ?? 0;
  const means: View = { part: 'features', of: (vector) => vector.subarray(0, featureDim) };
  if (held < 2 * featureDim) return [means];
  const usual = Float64Array.from({ length: featureDim }, (_, j) =>
    median(vectors.map((vector) => vector[featureDim + j] ?? 0)),
  );
  const least = LEAST_SPREAD * (median([...usual].filter((spread) => spread > 0)) || 1);
  const spreads: View = {
    part: 'spreads',
    of: (vector) =>
      usual.map((spread, j) => Math.log((vector[featureDim + j] ?? 0) + Math.max(LEAST_SPREAD * spread, least))),
  };
  const pixels = pixelViews(held - 2 * featureDim, 2 * featureDim);
  const known = vectors.filter((vector, i) => isHeldOut(i) && pixels.every(({ of }) => isKnown(of(vector))));
  return known.length < LEAST_HELD_OUT ? [means, spreads] : [means, spreads, ...pixels];
}

/** @param count numbers that vectors hold of the slides' pixels, from `first` on. */
function pixelViews(count: number, first: number): readonly View[] {
  const view = (part: TypicalityPart, from: number, to: number): View => ({
    part,
    of: (vector) => vector.subarray(first + from, first + to),
  });
  // Earlier versions kept the colours of all the tissue alone; they are kept to compare slides with studies of that time.
  if (count === COLOUR_DIM) return [view('colours', 0, COLOUR_DIM)];
  // Others knew of the density only how dark the darkest tissue is.
  if (count !== APPEARANCE_DIM && count !== MIXTURE_AT) return [];
  return [
    view('sharpness', SHARPNESS_AT, HUE_AT),
    view('colours', HUE_AT, DENSITY_AT),
    view('density', DENSITY_AT, count),
  ];
}

const median = (values: readonly number[]): number => quantiles(values, [0.5])[0] ?? Number.NaN;

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
