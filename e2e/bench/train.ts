import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ARCHITECTURES } from '../../src-main/engine/backbone/architectures/all.ts';
import { RandomStream } from '../../src-main/engine/backbone/random-stream.ts';
import { randomWeights } from '../../src-main/engine/backbone/random-weights.ts';
import { GraphBuilder } from '../../src-main/engine/graph/builder.ts';
import { crossEntropy } from '../../src-main/engine/graph/losses.ts';
import type { OnnxModel } from '../../src-main/engine/graph/model.ts';
import { ADAM } from '../../src-main/engine/graph/optimise/optimiser.ts';
import type { TrainingStepOptions } from '../../src-main/engine/graph/optimise/step-options.ts';
import { buildTiledStep } from '../../src-main/engine/graph/optimise/tiled-step.ts';
import { buildTrainingStep } from '../../src-main/engine/graph/optimise/training-step.ts';
import { loadRuntime } from '../../src-main/engine/infer/runtime.ts';
import { trainableWeights } from '../../src-main/engine/learn/fine-tune/trainable.ts';
import { HEAD, trainingGraph } from '../../src-main/engine/learn/head-graph.ts';
import { NO_REGULARISERS } from '../../src-main/engine/learn/head-spec.ts';
import type { Feeds } from '../../src-main/engine/learn/moving-tensor.ts';
import { StepRunner } from '../../src-main/engine/learn/step-runner.ts';
import { TiledRunner } from '../../src-main/engine/learn/tiled-runner.ts';
import { median } from './paired.ts';

const PYTHON = '/usr/bin/python3';
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 0) || 3;
const BATCH = 8;
const RATES = { all: 1e-5 };
const THREADS = Number(process.env.BENCH_THREADS ?? 0) || availableParallelism();

/** What is measured: its name for the reference, and the steps that make a steady figure. */
const CASES: readonly (readonly [string, string, number])[] = [
  ['ResNet18 block 64, 56 px', 'block:64:64:1:56', 4],
  ['ResNet18 block 64 to 128, 56 px', 'block:64:128:2:56', 4],
  ['ResNet18 block 256, 14 px', 'block:256:256:1:14', 6],
  ['ResNet18 block 512, 7 px', 'block:512:512:1:7', 6],
  [`ResNet18 step, batch ${BATCH}`, `resnet18:${BATCH}`, 2],
  ['attention pooling, bag of 500', 'bag:500', 100],
  ['attention pooling, bag of 5,000', 'bag:5000', 20],
  ['attention pooling, bag of 50,000', 'bag:50000', 2],
];

/** Tiles at once for the bag that is also measured in parts. */
const TILES_AT_ONCE = 8192;

/** PyTorch in a process of its own, asked for one figure at a time. */
class TorchReference {
  private readonly child = spawn(PYTHON, [fileURLToPath(new URL('train.torch.py', import.meta.url))], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // Its threads for gradients take their number from here alone.
    env: { ...process.env, BENCH_THREADS: String(THREADS), OMP_NUM_THREADS: String(THREADS) },
  });
  private readonly lines = createInterface({ input: this.child.stdout });
  /** The most memory it has held so far. */
  peakMiB = Number.NaN;

  async timePerStep(what: string, runs: number): Promise<StepTime> {
    const answered = once(this.lines, 'line');
    this.child.stdin.write(`${what} ${runs}\n`);
    const [line] = await answered;
    const [wall = Number.NaN, cpu = Number.NaN, peakMiB = Number.NaN] = String(line).split(' ').map(Number);
    this.peakMiB = peakMiB;
    return { wall, cpu };
  }

  async close(): Promise<void> {
    const ended = once(this.child, 'exit');
    this.child.stdin.end();
    await ended;
  }
}

/** Seconds of one step: by the clock, and of processors (which other programs on the machine disturb less). */
interface StepTime {
  readonly wall: number;
  readonly cpu: number;
}

async function timed(runs: number, step: () => Promise<unknown>): Promise<StepTime> {
  await step();
  const [from, before] = [performance.now(), process.cpuUsage()];
  for (let run = 0; run < runs; run++) await step();
  const { user, system } = process.cpuUsage(before);
  return { wall: (performance.now() - from) / 1000 / runs, cpu: (user + system) / 1e6 / runs };
}

/** A training step (forward, backward, Adam) against PyTorch on the same cores, in paired rounds. */
export async function bench(): Promise<void> {
  if (!existsSync(PYTHON)) {
    console.log('  skipped: needs Python with torchvision');
    return;
  }
  const only = process.env.BENCH_ONLY;
  const torch = new TorchReference();
  try {
    // PyTorch loads its libraries on all cores: nothing is measured beside that.
    await torch.timePerStep('bag:1', 1);
    for (const [label, what, runs] of CASES) {
      if (only !== undefined && !what.startsWith(only)) continue;
      const { step, close } = await prepared(what);
      const rounds: { readonly ours: StepTime; readonly torch: StepTime }[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        rounds.push({ ours: await timed(runs, step), torch: await torch.timePerStep(what, runs) });
      }
      await close();
      console.log(`  ${label.padEnd(34)} ${figures(rounds, 'wall')}; CPU ${figures(rounds, 'cpu')} (aim 1)`);
      if (what === 'bag:50000') console.log(`  ${await inParts(50_000)}`);
    }
    const ours = process.resourceUsage().maxRSS / 1024;
    console.log(`  most memory of either process: ${ours.toFixed(0)} MiB, PyTorch ${torch.peakMiB.toFixed(0)} MiB`);
  } finally {
    await torch.close();
  }
}

/** Medians of both, and the median of the rounds' ratios. */
function figures(
  rounds: readonly { readonly ours: StepTime; readonly torch: StepTime }[],
  kind: keyof StepTime,
): string {
  const ms = (of: 'ours' | 'torch'): string => (1000 * median(rounds.map((round) => round[of][kind]))).toFixed(1);
  const ratio = median(rounds.map(({ ours, torch }) => torch[kind] / ours[kind]));
  return `${ms('ours')} ms, PyTorch ${ms('torch')} ms: ${ratio.toFixed(2)} x`;
}

interface Prepared {
  readonly step: () => Promise<unknown>;
  readonly close: () => Promise<void>;
}

async function prepared(what: string): Promise<Prepared> {
  const [kind = '', ...sizes] = what.split(':');
  const numbers = sizes.map(Number);
  const [model, loss, feeds] = kind === 'bag' ? bagCase(numbers[0] ?? 1) : imageCase(kind, numbers);
  const runner = await StepRunner.open(buildTrainingStep(optionsOf(model, loss)), {
    ...{ optimiser: ADAM, seed: 1, threads: THREADS },
  });
  const data = await tensors(feeds);
  return { step: () => runner.step(data, RATES), close: () => runner.close() };
}

/** The largest bag again, tiles in parts: what bounded memory costs. */
async function inParts(tiles: number): Promise<string> {
  const [model, loss, feeds] = bagCase(tiles);
  const options = optionsOf(model, loss);
  const runner = await StepRunner.open(buildTrainingStep(options), { optimiser: ADAM, seed: 1, threads: THREADS });
  const tiled = await TiledRunner.open(buildTiledStep(options, 'N'), TILES_AT_ONCE, runner, THREADS);
  const data = await tensors(feeds);
  await tiled.step(runner, data, RATES);
  const from = performance.now();
  await tiled.step(runner, data, RATES);
  const ms = performance.now() - from;
  const memory = process.memoryUsage().rss / 2 ** 20;
  await tiled.close();
  await runner.close();
  return `the same in parts of ${TILES_AT_ONCE} tiles: ${ms.toFixed(0)} ms, process ${memory.toFixed(0)} MiB`;
}

const optionsOf = (model: OnnxModel, loss: string): TrainingStepOptions => ({
  ...{ model, loss, optimiser: ADAM, clipNorm: null, watch: [], inputDims: {} },
  groups: [{ name: 'all', parameters: trainableWeights(model), weightDecay: 0 }],
});

type Case = readonly [OnnxModel, string, Readonly<Record<string, readonly [Float32Array, readonly number[]]>>];

function bagCase(tiles: number): Case {
  const spec = { pooling: 'histotransfer', gated: false, featureDim: 512, classes: 2, seed: 1 } as const;
  return [
    trainingGraph(spec, NO_REGULARISERS).model,
    HEAD.loss,
    {
      [HEAD.features]: [uniform(tiles * 512), [tiles, 512]],
      [HEAD.target]: [Float32Array.of(0, 1), [1, 2]],
      [HEAD.featureMask]: [new Float32Array(64).fill(1), [1, 64]],
      [HEAD.tileMask]: [new Float32Array(tiles), [tiles, 1]],
    },
  ];
}

function imageCase(kind: string, numbers: readonly number[]): Case {
  if (kind === 'resnet18') return resnetCase(numbers[0] ?? 1);
  const [before = 1, after = 1, stride = 1, side = 1] = numbers;
  const g = new GraphBuilder('block');
  const image = g.input('image', [BATCH, before, side, side]);
  const conv = (name: string, x: string, from: number, to: number, kernel: number, by: number): string => {
    const weight = g.floats(`${name}_weight`, [to, from, kernel, kernel], uniform(to * from * kernel * kernel, 0.05));
    const pad = kernel >> 1;
    const out = g.node(`${name}_out`, 'Conv', [x, weight], { strides: [by, by], pads: [pad, pad, pad, pad] });
    const norm = [1, 0, 0, 1].map((value, i) => g.floats(`${name}_norm${i}`, [to], new Float32Array(to).fill(value)));
    return g.node(name, 'BatchNormalization', [out, ...norm]);
  };
  const first = g.node('relu1', 'Relu', [conv('conv1', image, before, after, 3, stride)]);
  const second = conv('conv2', first, after, after, 3, 1);
  const short = stride > 1 || before !== after ? conv('short', image, before, after, 1, stride) : image;
  const out = g.node('out', 'Relu', [g.node('sum', 'Add', [second, short])]);
  g.node('loss', 'ReduceMean', [g.node('square', 'Mul', [out, out])], { keepdims: 0 });
  return [g.build(), 'loss', { image: [uniform(BATCH * before * side * side), [BATCH, before, side, side]] }];
}

function resnetCase(batch: number): Case {
  const network = ARCHITECTURES.resnet18?.(randomWeights(1));
  if (network === undefined) throw new Error('no ResNet18');
  const g = new GraphBuilder('loss');
  const features = network.model.graph.outputs[0]?.name ?? '';
  g.input(features, ['N', 512]);
  const parameters = [
    g.floats('fc_weight', [512, 2], uniform(1024, 0.05)),
    g.floats('fc_bias', [2], new Float32Array(2)),
  ];
  crossEntropy(g, 'loss', g.node('logits', 'Gemm', [features, ...parameters]), g.input('target', ['N', 2]));
  const { graph } = g.build();
  const all = network.model.graph;
  const inputs = [
    ...all.inputs.map((value) => ({ ...value, dims: [batch, 3, 224, 224] })),
    ...graph.inputs.filter(({ name }) => name === 'target').map((value) => ({ ...value, dims: [batch, 2] })),
  ];
  const joined = {
    ...all,
    nodes: [...all.nodes, ...graph.nodes],
    initializers: [...all.initializers, ...graph.initializers],
    inputs,
  };
  const target = Float32Array.from({ length: 2 * batch }, (_, i) => Number(i % 2 === (i >> 1) % 2));
  return [
    { ...network.model, graph: joined },
    'loss',
    {
      [network.inputName]: [uniform(batch * 3 * 224 * 224), [batch, 3, 224, 224]],
      target: [target, [batch, 2]],
    },
  ];
}

/** Uniform in +-bound. */
function uniform(count: number, bound = 1): Float32Array {
  const stream = new RandomStream(count, 'bench');
  return Float32Array.from({ length: count }, () => (2 * stream.nextUniform() - 1) * bound);
}

async function tensors(feeds: Case[2]): Promise<Feeds> {
  const { Tensor } = await loadRuntime();
  const entries = Object.entries(feeds).map(
    ([name, [data, dims]]) => [name, new Tensor('float32', data, dims)] as const,
  );
  return Object.fromEntries(entries);
}
