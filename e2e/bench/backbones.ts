import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ARCHITECTURES } from '../../src-main/engine/backbone/architectures/all.ts';
import { randomWeights } from '../../src-main/engine/backbone/random-weights.ts';
import { encodeModel } from '../../src-main/engine/graph/proto.ts';
import { GraphCache } from '../../src-main/engine/infer/graph-cache.ts';
import { GRAPH_LEVEL, loadRuntime, openSession } from '../../src-main/engine/infer/runtime.ts';
import { median, paired } from './paired.ts';

const PYTHON = '/usr/bin/python3';
const BATCH = 16;
const SIDE_PX = 224;
const ROUNDS = 3;
/** Networks torchvision has too, with the runs of a batch that make a steady figure. */
const NETWORKS: Readonly<Record<string, number>> = {
  resnet18: 4,
  resnet34: 3,
  resnet50: 2,
  densenet121: 2,
  mobilenet_v2: 4,
  shufflenet_v2_x1_0: 8,
  squeezenet1_1: 6,
  vit_base_patch16: 1,
};

/** Torchvision in a process of its own, asked for one figure at a time. */
class TorchReference {
  private readonly child = spawn(PYTHON, [fileURLToPath(new URL('backbones.torch.py', import.meta.url))], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  private readonly lines = createInterface({ input: this.child.stdout });

  /** Seconds per image. */
  async secondsPerImage(network: string, runs: number): Promise<number> {
    const answered = once(this.lines, 'line');
    this.child.stdin.write(`${network} ${runs}\n`);
    const [line] = await answered;
    return Number(line);
  }

  async close(): Promise<void> {
    const ended = once(this.child, 'exit');
    this.child.stdin.end();
    await ended;
  }
}

/**
 * Images per second of each network in onnxruntime against PyTorch on the same cores, batch 16 at 224 px, in paired
 * rounds; time to open the session, first and from the cache of optimised graphs, and what it adds to the process's memory.
 * HYALINE_BENCH_NETWORKS (names with commas) leaves out the others.
 */
export async function bench(): Promise<void> {
  if (!existsSync(PYTHON)) {
    console.log('  skipped: needs Python with torchvision');
    return;
  }
  const torch = new TorchReference();
  const folder = await mkdtemp(join(tmpdir(), 'hyaline-bench-'));
  try {
    const wanted = process.env.HYALINE_BENCH_NETWORKS?.split(',') ?? Object.keys(NETWORKS);
    for (const [name, runs] of Object.entries(NETWORKS).filter(([each]) => wanted.includes(each)))
      console.log(`  ${await line(torch, name, runs, folder)}`);
  } finally {
    await torch.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Milliseconds to open a network whose optimised graph is kept, its digest checked: the second session of its life. */
async function openFromCache(model: Uint8Array, folder: string): Promise<number> {
  const cache = new GraphCache(folder);
  const modelSha256 = createHash('sha256').update(model).digest('hex');
  const machine = { provider: 'cpu', level: GRAPH_LEVEL, runtimeVersion: '', machine: '' };
  const identity = { modelSha256, cuts: [], ...machine };
  const threads = availableParallelism();
  const first = await cache.keep(identity, null, (path) =>
    openSession({ model, provider: 'cpu', threads, ...(path === null ? {} : { writeOptimisedTo: path }) }),
  );
  await first.release();
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = performance.now();
    const kept = await cache.read(identity);
    if (kept === null) throw new Error('the optimised graph was not kept');
    const session = await openSession({ model: kept.model, provider: 'cpu', threads, optimised: true });
    times.push(performance.now() - start);
    await session.release();
  }
  return median(times);
}

async function line(torch: TorchReference, name: string, runs: number, folder: string): Promise<string> {
  const model = ARCHITECTURES[name]?.(randomWeights(1)).model;
  if (!model) throw new Error(`no network called ${name}`);
  const bytes = encodeModel(model);
  const memoryBefore = process.memoryUsage().rss;
  const start = performance.now();
  const session = await openSession({ model: bytes, provider: 'cpu', threads: availableParallelism() });
  const loadMs = performance.now() - start;
  const { Tensor } = await loadRuntime();
  const values = Float32Array.from({ length: BATCH * 3 * SIDE_PX ** 2 }, (_, i) => ((i * 31) % 255) / 255);
  const feeds = { input: new Tensor('float32', values, [BATCH, 3, SIDE_PX, SIDE_PX]) };
  const ours = async (): Promise<number> => {
    await session.run(feeds);
    const from = performance.now();
    for (let run = 0; run < runs; run += 1) await session.run(feeds);
    return (performance.now() - from) / 1000 / runs / BATCH;
  };
  await torch.secondsPerImage(name, 1);
  const result = await paired(ROUNDS, ours, () => torch.secondsPerImage(name, runs));
  const memory = (process.memoryUsage().rss - memoryBefore) / 2 ** 20;
  await session.release();
  const cachedMs = await openFromCache(bytes, folder);
  return (
    `${name.padEnd(20)} ${(1 / result.ours).toFixed(1)} images/s, PyTorch ${(1 / result.reference).toFixed(1)}: ` +
    `${result.ratio.toFixed(2)} x (aim 2); session ${loadMs.toFixed(0)} ms, from the cache ${cachedMs.toFixed(0)} ms; memory ${memory.toFixed(0)} MiB`
  );
}
