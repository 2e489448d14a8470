import type { SlideTypicality, TypicalityPart } from '../../../src-shared/model/study.ts';
import { sortedQuantile } from '../../../src-shared/numeric/quantile.ts';
import { COLOUR_DIM } from '../tissue/tissue-colours.ts';
import type { Samples } from './linear-model.ts';
import type { Split } from './splits.ts';
import { fitTypicality, mahalanobis, type TypicalityModel, typicalityThreshold } from './typicality.ts';

/**
 * A slide as one vector: the mean of each feature over its tiles, the standard deviation of each over them, and the
 * colours of its tissue (COLOUR_DIM numbers, NaN where its pixels are not at hand).
 */
export type SlideVector = Float64Array;

/** Gaussians for each split, fitted on what its heads were trained and selected on. */
export interface TrainingData {
  readonly models: readonly SplitModel[];
  /** Held-out slides the thresholds come from. */
  readonly heldOut: number;
  readonly knowsColours: boolean;
  /** 95th percentiles of the distances of held-out slides, each from the model that never saw it. */
  readonly threshold: number;
  /** For slides whose colours are not known. */
  readonly thresholdByFeatures: number;
}

interface SplitModel {
  readonly parts: readonly PartModel[];
}

/** What the slides look like in one part of their vectors. */
interface PartModel extends ScaledModel {
  readonly view: View;
  /** What most held-out slides stay below, over all splits: the unit in which the parts are compared. */
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
/**
 * Quantile of held-out distances that the parts are measured in. With the median six colours, whose distances scatter
 * more than those of hundreds of features, would hide a blurred slide; the 95th percentile of ten slides is chance.
 */
const UNIT_QUANTILE = 0.8;

/**
 * tiles x dim to one vector of 2 dim + COLOUR_DIM numbers; zeros and the colours where there are no tiles.
 * @param colours of its tissue, see `measureColours`; null = not at hand.
 */
export function slideVector(features: Float32Array, dim: number, colours: Float64Array | null = null): SlideVector {
  const vector = new Float64Array(2 * dim + COLOUR_DIM);
  vector.set(colours ?? new Float64Array(COLOUR_DIM).fill(Number.NaN), 2 * dim);
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
 * to their own mean. Measured apart: the means of their features; how much those vary from tile to tile (logarithm of
 * the standard deviation), which blur changes most and few slides suffice to know; and, where all training slides' are
 * known, the colours of their tissue, which many backbones have learned to ignore. The largest distance counts, each in
 * units of what four fifths of held-out slides stay below.
 * Source: Lee et al. 2018 (distance), Ledoit and Wolf 2004 (covariance).
 *
 * @param featureDim features of a tile; vectors of earlier versions hold no colours, or means only.
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
      const model = fitOn(members.map(view.of));
      return model === null ? [] : [{ ...model, view, unit: 1 }];
    });
    return parts.length < views.length ? [] : [{ parts, test: split.test.flatMap((i) => vectors[i] ?? []) }];
  });
  const measured = new Set(fitted.flatMap(({ test }) => test));
  if (fitted.length === 0 || measured.size < LEAST_HELD_OUT) return null;
  const away = fitted.flatMap(({ parts, test }) => test.map((vector) => distances({ parts }, vector)));
  const units = views.map((_, part) => quantile(column(away, part), UNIT_QUANTILE) || 1);
  const inUnits = away.map((row) => row.map((distance, part) => distance / (units[part] ?? 1)));
  const byFeatures = views.map(({ part }) => part !== 'colours');
  return {
    models: fitted.map(({ parts }) => ({ parts: parts.map((model, part) => ({ ...model, unit: units[part] ?? 1 })) })),
    heldOut: measured.size,
    knowsColours: byFeatures.includes(false),
    threshold: typicalityThreshold(inUnits.map((row) => Math.max(...row))),
    thresholdByFeatures: typicalityThreshold(inUnits.map((row) => Math.max(...row.filter((_, at) => byFeatures[at])))),
  };
}

/** How far a slide lies from the training slides: the mean over the splits' models; by its features without colours. */
export function compareWithTraining(training: TrainingData, vector: SlideVector): SlideTypicality {
  const { models, knowsColours } = training;
  const comparesColours = knowsColours && !Number.isNaN(vector.at(-1));
  const compared = models.map(({ parts }) => ({
    parts: comparesColours ? parts : parts.filter(({ view }) => view.part !== 'colours'),
  }));
  const away = compared.map((model) => distances(model, vector));
  const distance = mean(away.map((row) => Math.max(...row)));
  const byPart = compared[0]?.parts.map((_, part) => mean(column(away, part))) ?? [];
  const most = compared[0]?.parts[byPart.indexOf(Math.max(...byPart))]?.view.part ?? 'features';
  const threshold = comparesColours ? training.threshold : training.thresholdByFeatures;
  return { distance, threshold, unlike: distance > threshold, most, comparesColours };
}

/** Part by part, in units. */
const distances = ({ parts }: SplitModel, vector: SlideVector): number[] =>
  parts.map((model) => distanceFrom(model, model.view.of(vector)) / model.unit);

const column = (rows: readonly (readonly number[])[], at: number): number[] => rows.map((row) => row[at] ?? Number.NaN);

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The means and, where the vectors hold them, the logarithms of the spreads and the colours of all slides. */
function viewsOf(vectors: readonly SlideVector[], featureDim: number): readonly View[] {
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
  const colours: View = { part: 'colours', of: (vector) => vector.subarray(2 * featureDim) };
  const known =
    held === 2 * featureDim + COLOUR_DIM && vectors.every((each) => colours.of(each).every(Number.isFinite));
  return known ? [means, spreads, colours] : [means, spreads];
}

const quantile = (values: readonly number[], q: number): number => sortedQuantile(Float64Array.from(values).sort(), q);

const median = (values: readonly number[]): number => quantile(values, 0.5);

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
