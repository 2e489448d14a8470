import type { RunId } from './ids.ts';
import type { MapSpec } from './map.ts';
import type { PoolingName, Study } from './study.ts';

/** What is said beside every map of a study. */
export const ATTENTION_CAUTION = 'Weights the model used, not where disease is.';

export type AttentionSpec = Extract<MapSpec, { readonly kind: 'attention' }>;

/** True where tiles get weights of attention; the controls have a score of each tile instead. */
export const poolsByAttention = (pooling: PoolingName): boolean => pooling !== 'mean' && pooling !== 'max';

/** True where weights differ between tiles: the mean gives all of them the same, so that its attention shows nothing. */
export const weighsTiles = (pooling: PoolingName): boolean => pooling !== 'mean';

/**
 * The map a study's look at a slide opens with: attention where it pools by attention, else what each tile adds to a class.
 * That class is the positive one of two; of several the one the study called this slide, or the first where it has not judged it.
 */
export function openingView(
  { id, plan, outcome }: Pick<Study, 'id' | 'plan' | 'outcome'>,
  runId: RunId,
): AttentionSpec {
  if (outcome === null || poolsByAttention(plan.pooling)) {
    return { kind: 'attention', studyId: id, view: 'attention', classIndex: null };
  }
  const { classes, positiveClass, predictions } = outcome;
  const probabilities = predictions.find((prediction) => prediction.runId === runId)?.probabilities ?? [];
  const shown =
    positiveClass === null ? probabilities.indexOf(Math.max(...probabilities)) : classes.indexOf(positiveClass);
  return { kind: 'attention', studyId: id, view: 'contribution', classIndex: Math.max(shown, 0) };
}
