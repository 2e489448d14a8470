import { type Ensemble, EnsembleSum } from './ensemble.ts';
import type { HeadWeights } from './evaluate-head.ts';
import { featureMoments } from './feature-moments.ts';
import type { HeadSpec } from './head-spec.ts';
import type { TileEvaluator } from './tile-evaluator.ts';

/** A head of an ensemble; all of one ensemble have the same shape. */
export interface EnsembleHead {
  readonly fold: number;
  readonly seed: number;
  readonly weights: HeadWeights;
}

export interface JudgeRequest {
  /** Of any head: its seed does not matter. */
  readonly spec: HeadSpec;
  readonly heads: readonly EnsembleHead[];
  /** tiles x featureDim, on shared memory so that nothing is copied. */
  readonly features: Float32Array;
  /** When somebody began to wait for it (`Date.now()`): what there is is told soon after. */
  readonly askedAtMs: number;
}

export interface JudgeHooks {
  /** Told of the heads so far: first within a second of being asked, then every so often, and of all. */
  readonly onSoFar?: (ensemble: Ensemble) => void;
  /** Called between parts; throws to stop. */
  readonly onPart?: () => void;
}

/** What all heads say of a bag, and what the bag looks like. */
export interface Judged {
  readonly ensemble: Ensemble;
  /** See `featureMoments`. */
  readonly moments: Float64Array;
}

/** A first picture is given by then, of however many heads there are. */
const FIRST_AFTER_MS = 600;
const NEXT_AFTER_MS = 1200;

/**
 * All heads of an ensemble on one bag. One seed of each fold comes first, so that an early picture leans on no fold; the
 * picture so far is told when these are done, or when it has taken long, then now and then.
 */
export async function judgeBag(
  evaluator: TileEvaluator,
  { spec, heads, features, askedAtMs }: JudgeRequest,
  { onSoFar, onPart }: JudgeHooks = {},
): Promise<Judged> {
  const sum = new EnsembleSum(spec.pooling, heads.length);
  const folds = new Set(heads.map(({ fold }) => fold)).size;
  let dueAtMs = askedAtMs + FIRST_AFTER_MS;
  let told = 0;
  for (const index of foldsFirst(heads)) {
    const head = heads[index];
    if (head === undefined) continue;
    sum.add(index, await evaluator.predict(head.weights, features, onPart));
    const isFirst = told === 0 && sum.heads >= folds;
    if (Date.now() < dueAtMs && !isFirst && sum.heads < heads.length) continue;
    onSoFar?.(sum.snapshot());
    told++;
    dueAtMs = Date.now() + NEXT_AFTER_MS;
  }
  return { ensemble: sum.snapshot(), moments: featureMoments(features, spec.featureDim) };
}

/** Numbers of the heads: the first of each fold, then the second of each, and so on. */
export function foldsFirst(heads: readonly Pick<EnsembleHead, 'fold'>[]): readonly number[] {
  const seen = new Map<number, number>();
  const turns = heads.map(({ fold }) => {
    const turn = seen.get(fold) ?? 0;
    seen.set(fold, turn + 1);
    return turn;
  });
  return [...heads.keys()].sort((a, b) => (turns[a] ?? 0) - (turns[b] ?? 0) || a - b);
}
