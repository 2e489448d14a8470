import { AppError } from '../../../src-shared/errors.ts';
import { quantiles } from '../../../src-shared/numeric/quantile.ts';
import { minimise } from '../study/lbfgs.ts';
import type { BagSet } from './bag.ts';
import type { HeadSpec } from './head-spec.ts';
import { heldOutMargins, type Margins, marginsOf, type Solve } from './held-out-margins.ts';
import type { Targets } from './tile-loss.ts';

/** Where, among a positive slide's tiles, the most telling ones begin. */
const TELLING = 0.95;
/** Most labels of tiles are right where most of their slides' were not: the head is held back so much less. */
const LESS_HELD_BACK = 0.1;

export interface Relabelling {
  /** The class whose slides hold nothing of the other. */
  readonly background: number;
  readonly classWeights: readonly number[];
  /** Slides the head was not solved for, that its scale and offset are fitted to. */
  readonly held: BagSet;
  /** What the head for slide labels was solved for with. */
  readonly penalty: number;
  readonly solve: Solve;
}

/**
 * Gives tiles labels of their own and solves again. Tiles of slides of the background class are background. A tile of another
 * slide is positive where heads that were not told its slide's label say so (see `heldOutMargins`), and every such slide
 * keeps at least its most telling tile. As every tile carried its slide's label, tiles of no meaning stand at the share of
 * positive slides: positive is what lies past half the way from there to the most telling tiles. The other tiles of such a
 * slide may be either and count for nothing. Both kinds of tiles count alike. mi-SVM (Andrews et al. 2003) with logistic loss,
 * one round, and the background taken from slides that are known to be nothing else.
 *
 * At last one scale and one offset make the mean of a held slide's tiles fit its label (Platt, 1999): the order of tiles stays,
 * and slides are judged as by any other head.
 *
 * @param x D x 2 weights, then 2 biases, of the head for slide labels. It is returned where no tile tells the classes apart.
 * @throws AppError InvalidRequest for other than two classes.
 */
export async function relabelledTiles(
  spec: HeadSpec,
  x: Float64Array,
  bags: BagSet,
  { background, classWeights, held, penalty, solve }: Relabelling,
): Promise<Float64Array> {
  if (spec.classes !== 2) {
    throw new AppError('InvalidRequest', 'Tiles can be given labels of their own in studies of two classes only.', {
      advice: 'Take the training without it, or two of the classes.',
    });
  }
  const positive = 1 - background;
  const margins =
    (await heldOutMargins(spec, bags, positive, classWeights, solve)) ?? (await marginsOf(spec, x, bags, positive));
  const threshold = pastHalfWay(margins, positive, classWeights);
  if (threshold === null) return x;
  const weights = await solve(x, bags, balanced(margins, positive, threshold), penalty * LESS_HELD_BACK);
  const ofHeld = await marginsOf(spec, weights, held, positive);
  return new Set(ofHeld.map(({ label }) => label)).size === 2
    ? fittedToSlides(weights, spec, ofHeld, positive)
    : weights;
}

/** As a margin; null where not even the most telling tiles stand out. */
function pastHalfWay(margins: Margins, positive: number, classWeights: readonly number[]): number | null {
  const total = (label: number): number =>
    margins.filter((bag) => bag.label === label).length * (classWeights[label] ?? 1);
  const share = total(positive) / (total(positive) + total(1 - positive));
  const positives = margins.filter(({ label }) => label === positive);
  const ofPositives = new Float64Array(positives.reduce((sum, { ofTiles }) => sum + ofTiles.length, 0));
  let filled = 0;
  for (const { ofTiles } of positives) {
    ofPositives.set(ofTiles, filled);
    filled += ofTiles.length;
  }
  const [top = Number.NaN] = quantiles(ofPositives, [TELLING]);
  const telling = 1 / (1 + Math.exp(-top));
  if (!(telling > share)) return null;
  const middle = share + (telling - share) / 2;
  return Math.log(middle / (1 - middle));
}

/** Labels of tiles by their margins; each class has half of the weight, each bag's tiles share what the bag has. */
function balanced(margins: Margins, positive: number, threshold: number): Targets {
  const labels = margins.map(({ label, ofTiles }) => {
    const own = new Uint8Array(ofTiles.length).fill(1 - positive);
    if (label !== positive) return own;
    let top = 0;
    for (let tile = 0; tile < own.length; tile++) {
      if ((ofTiles[tile] as number) > threshold) own[tile] = positive;
      if ((ofTiles[tile] as number) > (ofTiles[top] as number)) top = tile;
    }
    if (own.length > 0) own[top] = positive;
    return own;
  });
  let [positives, negatives] = [0, 0];
  for (const [b, own] of labels.entries()) {
    if (margins[b]?.label !== positive) negatives += 1;
    else for (const label of own) positives += Number(label === positive) / own.length;
  }
  return (index, label, tiles) => {
    const weights = new Float64Array(2);
    if (label === positive) weights[positive] = 0.5 / positives / tiles;
    else weights[1 - positive] = 0.5 / negatives / tiles;
    return { labels: labels[index] ?? new Uint8Array(tiles), weights };
  };
}

/** The head with one scale and one offset more, so that slides' mean margins are log odds; targets smoothed as Platt's. */
function fittedToSlides(x: Float64Array, { featureDim }: HeadSpec, margins: Margins, positive: number): Float64Array {
  const means = margins.map(({ ofTiles }) => ofTiles.reduce((sum, margin) => sum + margin, 0) / ofTiles.length);
  const isPositive = margins.map(({ label }) => label === positive);
  const positives = isPositive.filter(Boolean).length;
  const targets = isPositive.map((yes) =>
    yes ? (positives + 1) / (positives + 2) : 1 / (isPositive.length - positives + 2),
  );
  // Slopes are searched for at the means' own scale.
  const centre = means.reduce((sum, value) => sum + value, 0) / means.length;
  const spread = Math.sqrt(means.reduce((sum, value) => sum + (value - centre) ** 2, 0) / means.length) || 1;
  const { x: found } = minimise(
    ([slope = 0, offset = 0], gradient) => {
      let loss = 0;
      gradient.fill(0);
      means.forEach((mean, i) => {
        const at = (mean - centre) / spread;
        const logit = slope * at + offset;
        const off = 1 / (1 + Math.exp(-logit)) - (targets[i] ?? 0);
        loss +=
          (Math.max(logit, 0) + Math.log1p(Math.exp(-Math.abs(logit))) - (targets[i] ?? 0) * logit) / means.length;
        gradient[0] = (gradient[0] ?? 0) + (off * at) / means.length;
        gradient[1] = (gradient[1] ?? 0) + off / means.length;
      });
      return loss;
    },
    Float64Array.of(1, 0),
    1e-9,
    200,
  );
  // A slope that turned the order of tiles round would be a head that says the opposite.
  const slope = Math.max(found[0] ?? 0, 1e-3) / spread;
  const offset = (found[1] ?? 0) - slope * centre;
  const fitted = x.map((value) => value * slope);
  const biases = 2 * featureDim;
  fitted[biases + positive] = (fitted[biases + positive] ?? 0) + offset / 2;
  fitted[biases + 1 - positive] = (fitted[biases + 1 - positive] ?? 0) - offset / 2;
  return fitted;
}
