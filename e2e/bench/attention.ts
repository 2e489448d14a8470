import { RandomStream } from '../../src-main/engine/backbone/random-stream.ts';
import type { BagPrediction } from '../../src-main/engine/learn/evaluate-head.ts';
import { evaluationGraph } from '../../src-main/engine/learn/head-graph.ts';
import type { HeadSpec } from '../../src-main/engine/learn/head-spec.ts';
import { TrainingWorker } from '../../src-main/engine/learn/training-worker.ts';
import { attentionMap } from '../../src-main/engine/service/attention-map.ts';
import { asId } from '../../src-shared/model/ids.ts';
import type { Run } from '../../src-shared/model/run.ts';
import type { Study } from '../../src-shared/model/study.ts';

const TILES = 50_000;
const DIM = 512;
const SIDE = 250;
const REPEATS = 3;

/**
 * From features in memory to a map: heads of one split (5 seeds) and of five splits (25). Aim: 50,000 tiles in under a
 * second. Another view of the same slide needs no head again: its time stands beside.
 */
export async function bench(): Promise<void> {
  const spec: HeadSpec = { pooling: 'histotransfer', gated: false, featureDim: DIM, classes: 2, seed: 1 };
  const { model, parameters } = evaluationGraph(spec);
  const stream = new RandomStream(1, 'bench');
  const weights = new Map(
    model.graph.initializers
      .filter(({ name }) => parameters.includes(name))
      .map(({ name, dims }) => {
        const count = dims.reduce((product, dim) => product * dim, 1);
        return [name, Float32Array.from({ length: count }, () => stream.nextNormal() * 0.05)] as const;
      }),
  );
  const features = new Float32Array(new SharedArrayBuffer(TILES * DIM * 4));
  for (let at = 0; at < features.length; at++) features[at] = stream.nextUniform();
  const laid = syntheticGrid();
  const worker = new TrainingWorker();
  const run = { id: asId('run') } as Pick<Run, 'id'> as Run;
  const study = { plan: { name: 'bench' }, outcome: { classes: ['a', 'b'] } } as unknown as Study;
  try {
    await worker.predict(spec, weights, features);
    for (const heads of [1, 5, 25]) {
      const drawn: number[] = [];
      const other: number[] = [];
      for (let repeat = 0; repeat < REPEATS; repeat++) {
        const startMs = performance.now();
        const predictions: BagPrediction[] = [];
        for (let head = 0; head < heads; head++) predictions.push(await worker.predict(spec, weights, features));
        const judgement = { seen: 'unseen' as const, predictions };
        const base = { kind: 'attention' as const, studyId: asId('study'), classIndex: null };
        attentionMap({ ...base, view: 'attention' } as never, run, laid as never, study, judgement);
        const drawnMs = performance.now();
        attentionMap({ ...base, view: 'percentile' } as never, run, laid as never, study, judgement);
        drawn.push(drawnMs - startMs);
        other.push(performance.now() - drawnMs);
      }
      const median = (values: number[]): string => (values.sort((a, b) => a - b)[1] ?? 0).toFixed(0);
      console.log(
        `${heads} heads, ${TILES} tiles x ${DIM}: first map ${median(drawn)} ms, another view ${median(other)} ms`,
      );
    }
  } finally {
    await worker.close();
  }
}

function syntheticGrid() {
  return {
    grid: { columns: SIDE, rows: TILES / SIDE, strideLevel0Px: 224, tileLevel0Px: 224, tileCount: TILES },
    columns: Uint32Array.from({ length: TILES }, (_, i) => i % SIDE),
    rows: Uint32Array.from({ length: TILES }, (_, i) => Math.floor(i / SIDE)),
  };
}
