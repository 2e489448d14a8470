import { AppError } from '../../../src-shared/errors.ts';
import type { MapDescription, MapSpec } from '../../../src-shared/model/map.ts';
import type { Run } from '../../../src-shared/model/run.ts';
import type { Study } from '../../../src-shared/model/study.ts';
import type { LaidGrid } from '../grid/laid-grid.ts';
import type { BagPrediction } from '../learn/evaluate-head.ts';
import { mapLattice, overGrid } from '../map/compute-map.ts';
import type { StoredMap } from '../store/store.ts';
import type { Judgement } from './study-heads.ts';

export type AttentionSpec = Extract<MapSpec, { readonly kind: 'attention' }>;

const CAUTION = 'Weights the model used, not where disease is.';
const HAVE_SEEN: Readonly<Record<Judgement['seen'], string>> = {
  unseen: 'that never saw this slide',
  tested: 'that never saw this slide',
  trained: 'that were trained on this slide',
  tuned: 'that never saw this slide, but whose backbone was fine-tuned on it or on its patient',
};

/**
 * What the heads of a study weigh on one slide, drawn from their own predictions: mean attention times the number of
 * tiles (1 = average), its percentile, what each tile adds to a class's logit, or how far the heads disagree (standard
 * deviation of a tile's percentile over the heads).
 *
 * @param judgement of the heads that may judge this slide; at least one.
 */
export function attentionMap(
  spec: AttentionSpec,
  run: Run,
  laid: LaidGrid,
  study: Study,
  judgement: Pick<Judgement, 'predictions' | 'seen'>,
): StoredMap {
  const { predictions, seen } = judgement;
  const classes = study.outcome?.classes ?? [];
  const perTile = tileValues(spec, predictions, laid.columns.length, classes);
  const range = rangeOf(spec, perTile);
  const count = `${predictions.length} head${predictions.length === 1 ? '' : 's'}`;
  const heads = `${count} ${HAVE_SEEN[seen]}`;
  const made = spec.view === 'agreement' ? 'Compared between' : 'Mean of';
  const description: MapDescription = {
    runId: run.id,
    spec,
    ...mapLattice(laid),
    range,
    channels: 1,
    categories: [],
    legend: legendOf(spec, study, classes),
    explanation: `${made} ${heads}, trained on slide labels only. ${CAUTION}`,
    varianceShare: [],
    query: null,
  };
  return { description, values: overGrid(perTile, 1, laid) };
}

function tileValues(
  spec: AttentionSpec,
  predictions: readonly BagPrediction[],
  tiles: number,
  classes: readonly string[],
): Float32Array {
  const column = spec.classIndex ?? 0;
  if (spec.view === 'contribution' && column >= classes.length) {
    throw new AppError('InvalidRequest', 'The study has no such class.');
  }
  if (spec.view === 'agreement') return percentileSpread(predictions, tiles);
  const mean = new Float32Array(tiles);
  for (const { attention, contributions } of predictions) {
    for (let t = 0; t < tiles; t++) {
      const value =
        spec.view === 'contribution' ? (contributions[t * classes.length + column] ?? 0) : (attention[t] ?? 0) * tiles;
      mean[t] = (mean[t] ?? 0) + value / predictions.length;
    }
  }
  return spec.view === 'percentile' ? percentiles(mean) : mean;
}

/** Standard deviation over the heads of a tile's percentile; 0 with one head. */
function percentileSpread(predictions: readonly BagPrediction[], tiles: number): Float32Array {
  const ranks = predictions.map(({ attention }) => percentiles(attention));
  return Float32Array.from({ length: tiles }, (_, t) => {
    const mean = ranks.reduce((sum, rank) => sum + (rank[t] ?? 0), 0) / ranks.length;
    const squares = ranks.reduce((sum, rank) => sum + ((rank[t] ?? 0) - mean) ** 2, 0);
    return Math.sqrt(squares / Math.max(1, ranks.length - 1));
  });
}

/** Share of tiles with a lower value, ties sharing their mean rank, in 0..100. */
function percentiles(values: Float32Array): Float32Array {
  const order = Array.from(values.keys()).sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0));
  const result = new Float32Array(values.length);
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && values[order[end] ?? 0] === values[order[start] ?? 0]) end++;
    const rank = (start + end - 1) / 2;
    for (let i = start; i < end; i++) result[order[i] ?? 0] = (100 * rank) / Math.max(1, order.length - 1);
    start = end;
  }
  return result;
}

function rangeOf({ view }: AttentionSpec, values: Float32Array): readonly [number, number] {
  if (view === 'percentile') return [0, 100];
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  if (view === 'attention' || view === 'agreement') return [0, Math.max(high, 1e-6)];
  // Contributions have a sign: zero stays in the middle of the colours.
  const reach = Math.max(Math.abs(low), Math.abs(high), 1e-6);
  return [-reach, reach];
}

function legendOf({ view, classIndex }: AttentionSpec, study: Study, classes: readonly string[]): string {
  const { name } = study.plan;
  if (view === 'agreement') return `Disagreement of the heads of study ${name}, in percentile points`;
  if (view === 'percentile') return `Attention in study ${name}, percentile within the slide`;
  if (view === 'attention') return `Attention in study ${name}, times the average tile`;
  return `What a tile adds for ${classes[classIndex ?? 0] ?? ''} in study ${name}`;
}
