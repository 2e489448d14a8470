import { AppError } from '../../../src-shared/errors.ts';
import { type SlideVector, slideVector } from './slide-typicality.ts';
import { listed, type StudyCase } from './splits.ts';

/** What a bag is, before its numbers are read. */
export interface BagFacts {
  readonly tiles: number;
  readonly dim: number;
}

/**
 * Refuses features nothing can be learned from, naming the slides: empty bags, features of different length.
 * @throws AppError InvalidRequest
 */
export function checkBagFacts(cases: readonly Pick<StudyCase, 'id'>[], facts: readonly BagFacts[]): void {
  const named = (wrong: (fact: BagFacts) => boolean): string[] =>
    cases.flatMap(({ id }, i) => (facts[i] !== undefined && wrong(facts[i]) ? [id] : []));
  const empty = named(({ tiles }) => tiles === 0);
  if (empty.length > 0) {
    throw new AppError('InvalidRequest', `These slides have no tiles: ${listed(empty)}.`, {
      advice: 'Look at their tissue preview, or take them out of the study.',
      detail: empty.join(', '),
    });
  }
  const counts = new Map<number, number>();
  for (const { dim } of facts) counts.set(dim, (counts.get(dim) ?? 0) + 1);
  if (counts.size < 2) return;
  const [usual = 0] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? [];
  const other = named(({ dim }) => dim !== usual);
  const lengths = [...counts.keys()].sort((a, b) => a - b).join(' and ');
  throw new AppError('InvalidRequest', `The features of a study must have one length; here they have ${lengths}.`, {
    advice: `Different from the others: ${listed(other)}. Use one backbone for all.`,
    detail: other.join(', '),
  });
}

/**
 * Reads every bag once, before anything is trained: mean and spread of the features of each slide, and its appearance.
 * @throws AppError InvalidRequest naming slides whose features are of another length, none at all, or not numbers.
 */
export async function surveyBags(
  cases: readonly Pick<StudyCase, 'id'>[],
  featureDim: number,
  features: (caseIndex: number) => Promise<Float32Array>,
  appearance: (caseIndex: number) => Promise<Float64Array | null> = () => Promise.resolve(null),
): Promise<SlideVector[]> {
  const vectors: SlideVector[] = [];
  const facts: BagFacts[] = [];
  const broken: string[] = [];
  for (const [i, { id }] of cases.entries()) {
    const bag = await features(i);
    const whole = bag.length % featureDim === 0;
    facts.push({ tiles: whole ? bag.length / featureDim : bag.length, dim: whole ? featureDim : Number.NaN });
    const read = whole ? bag : new Float32Array(0);
    const vector = slideVector(read, featureDim, await appearance(i));
    if (!vector.subarray(0, 2 * featureDim).every(Number.isFinite)) broken.push(id);
    vectors.push(vector);
  }
  checkBagFacts(cases, facts);
  if (broken.length > 0) {
    throw new AppError(
      'InvalidRequest',
      `The features of these slides hold values that are not numbers: ${listed(broken)}.`,
      {
        advice: 'Extract them again; the weights of the backbone may be damaged.',
        detail: broken.join(', '),
      },
    );
  }
  return vectors;
}
