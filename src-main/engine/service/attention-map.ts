import { AppError } from '../../../src-shared/errors.ts';
import { ATTENTION_CAUTION, type AttentionSpec } from '../../../src-shared/model/attention-view.ts';
import type { StudyId } from '../../../src-shared/model/ids.ts';
import type { MapDescription } from '../../../src-shared/model/map.ts';
import type { Run } from '../../../src-shared/model/run.ts';
import type { Study } from '../../../src-shared/model/study.ts';
import { percentiles } from '../../../src-shared/numeric/float-ranks.ts';
import type { LaidGrid } from '../grid/laid-grid.ts';
import type { Ensemble } from '../learn/ensemble.ts';
import { mapLattice, overGrid } from '../map/compute-map.ts';
import type { StoredMap } from '../store/store.ts';
import type { FeatureReader, Judgement } from './study-heads.ts';

/** Where maps of studies come from: `StudyService.attention`. */
export interface AttentionSource {
  whole(spec: AttentionSpec, run: Run, laid: LaidGrid, features: FeatureReader): Promise<StoredMap>;
  /** The first with more than `heads` heads. Throws Cancelled after `leave`. */
  soFar(spec: AttentionSpec, run: Run, laid: LaidGrid, features: FeatureReader, heads: number): Promise<StoredMap>;
  /** One that `soFar` gave a moment ago; null where it is gone. */
  earlier(spec: AttentionSpec, run: Run, laid: LaidGrid, heads: number): Promise<StoredMap | null>;
  leave(studyId: StudyId, run: Run): Promise<void>;
}

const HAVE_SEEN: Readonly<Record<Judgement['seen'], string>> = {
  unseen: 'that never saw this slide',
  tested: 'that never saw this slide',
  trained: 'that were trained on this slide',
  tuned: 'that never saw this slide, but whose backbone was fine-tuned on it or on its patient',
};

/**
 * What the heads of a study weigh on one slide, drawn from what they said of it: mean attention times the number of tiles
 * (1 = average), its percentile, what each tile adds to a class's logit, or how far the heads disagree (standard deviation
 * of a tile's percentile over the heads). A view takes milliseconds; no head is asked again.
 *
 * @param judgement of the heads that may judge this slide, or of those that have by now.
 */
export function attentionMap(
  spec: AttentionSpec,
  run: Run,
  laid: LaidGrid,
  study: Study,
  judgement: Pick<Judgement, 'ensemble' | 'of' | 'seen'>,
): StoredMap {
  const { ensemble, of, seen } = judgement;
  const classes = study.outcome?.classes ?? [];
  const perTile = tileValues(spec, ensemble);
  if (perTile.length !== laid.columns.length) {
    throw new AppError('InvalidRequest', 'The stored features do not fit the tiles of this run.', {
      advice: 'Run the analysis again.',
      detail: `${perTile.length} feature rows, ${laid.columns.length} tiles`,
    });
  }
  const done = ensemble.heads;
  const heads = `${done} head${done === 1 ? '' : 's'} ${HAVE_SEEN[seen]}`;
  const made = spec.view === 'agreement' ? 'Compared between' : 'Mean of';
  const soFar = done < of ? ` The other ${of - done} are still judging this slide.` : '';
  const description: MapDescription = {
    runId: run.id,
    spec,
    ...mapLattice(laid),
    range: rangeOf(spec, perTile),
    channels: 1,
    categories: [],
    legend: `${legendOf(spec, study, classes)}${done < of ? `: ${done} of ${of} models so far` : ''}`,
    explanation: `${made} ${heads}, trained on slide labels only.${soFar}${agreementText(ensemble.agreement)} ${ATTENTION_CAUTION}`,
    varianceShare: [],
    query: null,
    models: { done, of },
  };
  return { description, values: overGrid(perTile, 1, laid) };
}

function agreementText(agreement: number | null): string {
  return agreement === null ? '' : ` Their maps agree with a rank correlation of ${agreement.toFixed(2)}.`;
}

function tileValues({ view, classIndex }: AttentionSpec, ensemble: Ensemble): Float32Array {
  if (view === 'agreement') return ensemble.spread;
  if (view === 'attention') return ensemble.attention;
  if (view === 'percentile') return percentiles(ensemble.attention);
  const [column, { classes, contributions }] = [classIndex ?? 0, ensemble];
  if (column >= classes) throw new AppError('InvalidRequest', 'The study has no such class.');
  const values = new Float32Array(ensemble.attention.length);
  for (let t = 0; t < values.length; t++) values[t] = contributions[t * classes + column] as number;
  return values;
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
