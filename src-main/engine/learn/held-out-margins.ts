import type { BagSet } from './bag.ts';
import type { HeadSpec } from './head-spec.ts';
import { slideLabels, type Targets, tileLogits } from './tile-loss.ts';

/** From a head that says little to one that is hardly held back. */
const PENALTIES = [10, 1, 0.1, 0.01];
const FOLDS = 5;
/** Labels need no head that is solved for to the last digit. */
const TOLERANCE = 1e-4;

/** Of each bag its label and, of each tile, the logit of the positive class less the other. */
export type Margins = readonly { readonly label: number; readonly ofTiles: Float64Array }[];

/** Solves for a head, from weights, with targets for the tiles. */
export type Solve = (
  from: Float64Array,
  bags: BagSet,
  targets: Targets,
  penalty: number,
  tolerance?: number,
) => Promise<Float64Array>;

/**
 * Margins of every slide's tiles by heads that were not told the label of any slide of that patient: patients are dealt into
 * five folds, those with a positive slide and the others in turn, and a fold is judged by the head solved for on the other
 * folds, every tile carrying its slide's label. Penalties are
 * tried from the strongest on for as long as the slides left out are met better (cross-entropy of their tiles). A head that
 * has seen a slide gives its label back; one that has not can be held back less where the other slides allow it.
 * Source: cross-fitting as in Chernozhukov et al. 2018, section 3.
 *
 * @returns null where only one patient has a positive slide, or only one has none.
 */
export async function heldOutMargins(
  spec: HeadSpec,
  bags: BagSet,
  positive: number,
  classWeights: readonly number[],
  solve: Solve,
): Promise<Margins | null> {
  const folds = await foldsOf(bags, positive);
  if (folds === null) return null;
  const heads = folds.map((): Float64Array => new Float64Array((spec.featureDim + 1) * spec.classes));
  let [best, least]: [Margins | null, number] = [null, Number.POSITIVE_INFINITY];
  for (const penalty of PENALTIES) {
    const margins: { label: number; ofTiles: Float64Array }[] = [];
    for (const [f, fold] of folds.entries()) {
      const others = subset(
        bags,
        folds.flatMap((it) => (it === fold ? [] : it)),
      );
      const targets = slideLabels(others, spec.classes, classWeights);
      const head = await solve(heads[f] as Float64Array, others, targets, penalty, TOLERANCE);
      heads[f] = head;
      const own = await marginsOf(spec, head, subset(bags, fold), positive);
      for (const [i, bag] of fold.entries()) margins[bag] = own[i] as Margins[number];
    }
    const loss = lossOf(margins, positive, classWeights);
    if (!(loss < least)) break;
    [best, least] = [margins, loss];
  }
  return best;
}

/** @param x D x 2 weights, then 2 biases. */
export async function marginsOf(spec: HeadSpec, x: Float64Array, bags: BagSet, positive: number): Promise<Margins> {
  const logits = new Float64Array(2);
  const margins: { label: number; ofTiles: Float64Array }[] = [];
  for (let b = 0; b < bags.count; b++) {
    const { features, label } = await bags.get(b);
    const ofTiles = new Float64Array(features.length / spec.featureDim);
    for (let tile = 0; tile < ofTiles.length; tile++) {
      tileLogits(x, features, tile * spec.featureDim, spec.featureDim, logits);
      ofTiles[tile] = (logits[positive] as number) - (logits[1 - positive] as number);
    }
    margins.push({ label, ofTiles });
  }
  return margins;
}

/** Places of the bags by fold, patients whole and both kinds of them in each; null where that cannot be. */
async function foldsOf(bags: BagSet, positive: number): Promise<number[][] | null> {
  const patients = new Map<number | string, { readonly places: number[]; isPositive: boolean }>();
  for (let b = 0; b < bags.count; b++) {
    const { label, patient = `bag ${b}` } = await bags.get(b);
    const known = patients.get(patient) ?? { places: [], isPositive: false };
    known.places.push(b);
    known.isPositive ||= label === positive;
    patients.set(patient, known);
  }
  const kinds = [false, true].map((kind) => [...patients.values()].filter(({ isPositive }) => isPositive === kind));
  const count = Math.min(FOLDS, ...kinds.map(({ length }) => length));
  if (count < 2) return null;
  const folds = Array.from({ length: count }, (): number[] => []);
  for (const kind of kinds) for (const [i, { places }] of kind.entries()) folds[i % count]?.push(...places);
  return folds;
}

const subset = (bags: BagSet, places: readonly number[]): BagSet => ({
  count: places.length,
  get: (index) => bags.get(places[index] ?? 0),
});

/** Mean over slides of the mean cross-entropy of their tiles, each carrying its slide's label. */
function lossOf(margins: Margins, positive: number, classWeights: readonly number[]): number {
  let loss = 0;
  for (const { label, ofTiles } of margins) {
    const sign = label === positive ? 1 : -1;
    let own = 0;
    for (const margin of ofTiles) own += Math.max(-sign * margin, 0) + Math.log1p(Math.exp(-Math.abs(margin)));
    loss += ((classWeights[label] ?? 1) * own) / ofTiles.length / margins.length;
  }
  return loss;
}
