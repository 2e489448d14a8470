import { rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { RandomStream } from '../../src-main/engine/backbone/random-stream.ts';
import { AttentionWorker } from '../../src-main/engine/learn/attention-worker.ts';
import { evaluationGraph } from '../../src-main/engine/learn/head-graph.ts';
import type { HeadSpec } from '../../src-main/engine/learn/head-spec.ts';
import { attentionMap } from '../../src-main/engine/service/attention-map.ts';
import { MapService } from '../../src-main/engine/service/map-service.ts';
import { StudyHeads } from '../../src-main/engine/service/study-heads.ts';
import { packWeights } from '../../src-main/engine/service/study-weights.ts';
import { openStore } from '../../src-main/engine/store/open-store.ts';
import type { Store } from '../../src-main/engine/store/store.ts';
import { sampleChunk, storeSample, temporaryFolder } from '../../src-main/engine/store/testing/samples.ts';
import { asId, type StudyId } from '../../src-shared/model/ids.ts';
import type { MapSpec } from '../../src-shared/model/map.ts';
import type { Run } from '../../src-shared/model/run.ts';
import type { Study } from '../../src-shared/model/study.ts';

const TILES = 50_000;
const DIM = 512;
const CHUNK_TILES = 64;
const REPEATS = 3;
const SEEDS = 5;
const MB = 2 ** 20;
const SPEC: HeadSpec = { pooling: 'histotransfer', gated: false, featureDim: DIM, classes: 2, seed: 1 };

/**
 * From features in the store to a map, through the services the app uses: the first picture, the whole, another view of
 * it, and the same after a restart, from what was kept. One head, one of five folds, and five folds of five seeds. Aim: a
 * picture of 50,000 tiles within a second, whatever the number of heads.
 */
export async function bench(): Promise<void> {
  const folder = temporaryFolder();
  const store = await openStore({ folder, slowMs: Number.POSITIVE_INFINITY });
  const worker = new AttentionWorker(availableParallelism());
  try {
    const run = await storeBag(store);
    await measure(store, worker, run, 1);
    for (const heads of [1, 5, 25]) {
      const rows: Times[] = [];
      for (let repeat = 0; repeat < REPEATS; repeat++) rows.push(await measure(store, worker, run, heads));
      const median = (pick: (times: Times) => number): string =>
        (rows.map(pick).sort((a, b) => a - b)[Math.floor(REPEATS / 2)] ?? 0).toFixed(0);
      const first = rows.map(({ firstHeads }) => firstHeads).join('/');
      console.log(
        `  ${heads} heads, ${TILES} tiles x ${DIM}: first picture ${median(({ firstMs }) => firstMs)} ms (of ${first} heads), ` +
          `complete ${median(({ wholeMs }) => wholeMs)} ms, another view ${median(({ viewMs }) => viewMs)} ms, ` +
          `kept: ${median(({ keptMs }) => keptMs)} ms; memory ${median(({ rssMb }) => rssMb)} MB`,
      );
    }
  } finally {
    await worker.close();
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Times {
  readonly firstMs: number;
  readonly firstHeads: number;
  readonly wholeMs: number;
  readonly viewMs: number;
  /** By services that have just begun, the operating system's cache warm. */
  readonly keptMs: number;
  readonly rssMb: number;
}

async function measure(store: Store, worker: AttentionWorker, run: Run, heads: number): Promise<Times> {
  const study = await storeStudy(store, heads);
  const spec: MapSpec = { kind: 'attention', studyId: study.id, view: 'attention', classIndex: null };
  const maps = mapsOf(store, worker, study);
  const startMs = performance.now();
  let { models } = (await maps.draw(run.id, spec, 0)).description;
  const firstMs = performance.now() - startMs;
  const firstHeads = models?.done ?? 0;
  while (models !== undefined && models.done < models.of) {
    models = (await maps.draw(run.id, spec, models.done)).description.models;
  }
  const wholeMs = performance.now() - startMs;
  const rssMb = process.memoryUsage().rss / MB;
  const viewMs = await timed(() => maps.get(run.id, { ...spec, view: 'percentile' }));
  // What was told may come a moment before it is written.
  await store.status();
  const keptMs = await timed(() => mapsOf(store, worker, study).get(run.id, spec));
  await store.removeStudy(study.id);
  return { firstMs, firstHeads, wholeMs, viewMs, keptMs, rssMb };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}

function mapsOf(store: Store, worker: AttentionWorker, study: Study): MapService {
  const heads = new StudyHeads(
    store,
    worker,
    async () => null,
    async () => null,
  );
  return new MapService(store, () => ({
    whole: async (spec, run, laid, features) =>
      attentionMap(spec, run, laid, study, await heads.judge(study, run, features)),
    soFar: async (spec, run, laid, features, count) =>
      attentionMap(spec, run, laid, study, await heads.soFar(study, run, features, count)),
    earlier: async () => null,
    leave: async (_, run) => heads.leave(study, run),
  }));
}

async function storeBag(store: Store): Promise<Run> {
  const run = await storeSample(store, 'bench', TILES, DIM);
  const stream = new RandomStream(1, 'features');
  const values = Float32Array.from({ length: CHUNK_TILES * DIM }, () => stream.nextUniform());
  for (let firstTile = 0; firstTile < TILES; firstTile += CHUNK_TILES) {
    const tileCount = Math.min(CHUNK_TILES, TILES - firstTile);
    const chunk = { ...sampleChunk(run, firstTile, 1), tileCount, values: values.slice(0, tileCount * DIM) };
    await store.appendFeatures(chunk);
  }
  return await store.updateRun(run.id, { state: 'done' });
}

/** A trained study of as many heads, drawn at random, none of which has seen the slide. */
async function storeStudy(store: Store, heads: number): Promise<Study> {
  const plan = { name: 'bench', rows: [], backboneId: asId('none'), cut: null, seeds: [], pooling: SPEC.pooling };
  const outcome = { classes: ['a', 'b'], featureDim: DIM, splits: [], predictions: [], finishedAtMs: 1 };
  const run = (await store.listRuns(null))[0];
  const id = asId<StudyId>(`bench-${heads}`);
  const made = { ...plan, backboneId: run?.backboneId };
  const study = { id, createdAtMs: 0, jobId: null, plan: made, outcome } as unknown as Study;
  await store.putStudy(study);
  for (let i = 0; i < heads; i++) {
    const seed = (i % SEEDS) + 1;
    const head = {
      studyId: id,
      fold: heads <= SEEDS ? i : Math.floor(i / SEEDS),
      seed,
      bestEpoch: 1,
      historyJson: '[]',
    };
    const spec = { ...SPEC, seed: i + 1 };
    await store.putStudyHead({ ...head, specJson: JSON.stringify(spec), trainedOnJson: null, weights: drawn(spec) });
  }
  return study;
}

function drawn(spec: HeadSpec): Float32Array {
  const { model, parameters } = evaluationGraph(spec);
  const stream = new RandomStream(spec.seed, 'bench');
  return packWeights(
    new Map(
      model.graph.initializers
        .filter(({ name }) => parameters.includes(name))
        .map(({ name, dims }) => {
          const count = dims.reduce((product, dim) => product * dim, 1);
          return [name, Float32Array.from({ length: count }, () => stream.nextNormal() * 0.05)] as const;
        }),
    ),
  );
}
