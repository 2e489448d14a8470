import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ARCHITECTURES } from '../../src-main/engine/backbone/architectures/all.ts';
import { IMAGENET_INPUT } from '../../src-main/engine/backbone/imagenet-input.ts';
import { randomWeights } from '../../src-main/engine/backbone/random-weights.ts';
import { encodeModel } from '../../src-main/engine/graph/proto.ts';
import { tilesAtOnce } from '../../src-main/engine/infer/loaded-model.ts';
import { openGraph } from '../../src-main/engine/infer/open-graph.ts';
import type { LoadRequest } from '../../src-main/engine/infer/protocol.ts';
import { loadRuntime } from '../../src-main/engine/infer/runtime.ts';
import { median } from './paired.ts';

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
  async secondsPerImage(network: string, runs: number, batch: number): Promise<number> {
    const answered = once(this.lines, 'line');
    this.child.stdin.write(`${network} ${runs} ${batch}\n`);
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
 * Images per second of each network as the extraction runs it, on the CPU, against PyTorch on the same cores at 224 px,
 * in paired rounds. Sixteen images at a time are asked for; the extraction takes them a few at once, PyTorch all or as
 * few, whichever is faster for it; the ratio with 16 in one run on both sides stands beside it. Then the time to open the
 * network (read, cut, optimised), first and from the cache of optimised graphs, and what it adds to the process's memory.
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
    // PyTorch loads its libraries on all cores: nothing is measured beside that.
    await torch.secondsPerImage('resnet18', 1, 1);
    const wanted = process.env.HYALINE_BENCH_NETWORKS?.split(',') ?? Object.keys(NETWORKS);
    for (const [name, runs] of Object.entries(NETWORKS).filter(([each]) => wanted.includes(each)))
      console.log(`  ${await line(torch, name, runs, folder)}`);
  } finally {
    await torch.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Median milliseconds to open and close a network, with or without the cache of optimised graphs. */
async function openMs(request: LoadRequest, cached: boolean): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = performance.now();
    const { session, fromCache } = await openGraph(request);
    times.push(performance.now() - start);
    await session.release();
    if (fromCache !== cached) throw new Error('the cache of optimised graphs did not do what it is for');
  }
  return median(times);
}

/** What the extraction asks for: the network's own feature cut, all cores. */
async function writeNetwork(name: string, folder: string): Promise<LoadRequest> {
  const built = ARCHITECTURES[name]?.(randomWeights(1));
  if (!built) throw new Error(`no network called ${name}`);
  const bytes = encodeModel(built.model);
  const modelPath = join(folder, `${createHash('sha256').update(bytes).digest('hex')}.onnx`);
  await writeFile(modelPath, bytes);
  const cuts = built.cuts.filter((cut) => cut.name === built.defaultCut);
  return { modelPath, cuts, input: IMAGENET_INPUT, inputName: built.inputName, threads: 0, provider: 'cpu' };
}

async function line(torch: TorchReference, name: string, runs: number, folder: string): Promise<string> {
  const request = await writeNetwork(name, folder);
  const memoryBefore = process.memoryUsage().rss;
  const { session } = await openGraph(request);
  const { Tensor } = await loadRuntime();
  const ours = async (batch: number): Promise<number> => {
    const values = Float32Array.from({ length: batch * 3 * SIDE_PX ** 2 }, (_, i) => ((i * 31) % 255) / 255);
    const feeds = { [request.inputName]: new Tensor('float32', values, [batch, 3, SIDE_PX, SIDE_PX]) };
    await session.run(feeds);
    const from = performance.now();
    for (let image = 0; image < runs * BATCH; image += batch) await session.run(feeds);
    return (performance.now() - from) / 1000 / runs / BATCH;
  };
  const few = Math.min(BATCH, tilesAtOnce('cpu', request.input));
  const theirs = (batch: number) => torch.secondsPerImage(name, (runs * BATCH) / batch, batch);
  await torch.secondsPerImage(name, 1, few);
  const rounds: { few: number; all: number; theirFew: number; theirAll: number }[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const [fewSeconds, theirAll] = [await ours(few), await theirs(BATCH)];
    const [allSeconds, theirFew] = [await ours(BATCH), await theirs(few)];
    rounds.push({ few: fewSeconds, all: allSeconds, theirFew, theirAll });
  }
  const best = median(rounds.map(({ theirFew, theirAll }) => Math.min(theirFew, theirAll)));
  const ratio = median(rounds.map((round) => Math.min(round.theirFew, round.theirAll) / round.few));
  const alike = median(rounds.map((round) => round.theirAll / round.all));
  const memory = (process.memoryUsage().rss - memoryBefore) / 2 ** 20;
  await session.release();
  const firstMs = await openMs(request, false);
  const cached = { ...request, graphCache: join(folder, 'graphs') };
  await (await openGraph(cached)).session.release();
  const cachedMs = await openMs(cached, true);
  return (
    `${name.padEnd(20)} ${(1 / median(rounds.map((round) => round.few))).toFixed(1)} images/s by ${few}, PyTorch ${(1 / best).toFixed(1)} ` +
    `by ${BATCH} or ${few}: ${ratio.toFixed(2)} x (aim 2); both by ${BATCH} ${alike.toFixed(2)} x; ` +
    `opened in ${firstMs.toFixed(0)} ms, from the cache ${cachedMs.toFixed(0)} ms; memory ${memory.toFixed(0)} MiB`
  );
}
