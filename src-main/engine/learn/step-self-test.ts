import { elementCount, type GraphValue, type OnnxModel } from '../graph/model.ts';
import type { OptimiserSpec } from '../graph/optimise/optimiser.ts';
import { rateInput } from '../graph/optimise/step-options.ts';
import type { TrainingStep } from '../graph/optimise/training-step.ts';
import { encodeModel } from '../graph/proto.ts';
import type { ProviderName } from '../infer/protocol.ts';
import { loadRuntime, openSession } from '../infer/runtime.ts';
import type { SelfTestResult } from '../infer/self-test.ts';
import type { Feeds } from './moving-tensor.ts';
import { StepRunner } from './step-runner.ts';

/** A training step to be tried on a device; structured-clonable. */
export interface StepTest {
  readonly provider: ProviderName;
  /** Must not accumulate; null = nothing is to be trained. */
  readonly step: TrainingStep | null;
  /** A network, with weights, that is run forward on the same device; absent = none is. */
  readonly forward?: OnnxModel;
  readonly optimiser: OptimiserSpec;
  readonly groups: readonly string[];
  /** Threads of the CPU it is compared with; 0 = all cores. */
  readonly threads: number;
}

export interface StepTestResult extends SelfTestResult {
  /** True where weights and optimiser state lay in the device's memory between the steps. */
  readonly stateOnDevice: boolean;
}

/** Tiles of the bag it is tried on. */
const ROWS = { images: 2, features: 256, forward: 512 };
const RATE = 1e-3;

/**
 * Runs two steps, and a network forward, on a device and the same on the CPU, from the same weights on made-up data, and compares everything a
 * step changes: weights, gradients (which are what the sums of the optimiser hold) and running statistics. Second
 * moments begin at 1, so that no division by a gradient near 0 enlarges rounding. Also compared is the time of the
 * second step. Blocks, and a bad driver may end the process: run it in a child process.
 *
 * @returns `relativeError`: the largest over all tensors of the length of the difference over that of the CPU's values.
 * @throws AppError DeviceFailed.
 */
export async function selfTestStep({ provider, step, forward, ...test }: StepTest): Promise<StepTestResult> {
  const results: StepTestResult[] = [];
  if (forward !== undefined) {
    const device = await twoRuns(provider, forward, test.threads);
    const cpu = await twoRuns('cpu', forward, test.threads);
    results.push(compared(device, cpu, false));
  }
  if (step !== null) {
    const device = await twoSteps(provider, { step, ...test });
    const cpu = await twoSteps('cpu', { step, ...test });
    results.push(compared(device, cpu, device.stateOnDevice));
  }
  const sum = (pick: (result: StepTestResult) => number): number =>
    results.reduce((total, result) => total + pick(result), 0);
  return {
    relativeError: Math.max(...results.map(({ relativeError }) => relativeError)),
    deviceMs: sum(({ deviceMs }) => deviceMs),
    cpuMs: sum(({ cpuMs }) => cpuMs),
    stateOnDevice: results.some(({ stateOnDevice }) => stateOnDevice),
  };
}

interface Timed {
  readonly ms: number;
  readonly tensors: ReadonlyMap<string, Float32Array>;
}

function compared(device: Timed, cpu: Timed, stateOnDevice: boolean): StepTestResult {
  const relativeError = largestDifference(device.tensors, cpu.tensors);
  return { relativeError, deviceMs: device.ms, cpuMs: cpu.ms, stateOnDevice };
}

/** A network forward, twice, on made-up data; the second time counts. */
async function twoRuns(provider: ProviderName, model: OnnxModel, threads: number): Promise<Timed> {
  const session = await openSession({ model: encodeModel(model), provider, threads });
  try {
    const inputs = model.graph.inputs.filter(({ name }) => session.inputNames.includes(name));
    const data = await tensorsOf(inputs, ROWS.forward);
    await session.run(data);
    const from = performance.now();
    const results = await session.run(data);
    const ms = performance.now() - from;
    return { ms, tensors: new Map(Object.entries(results).map(([name, { data }]) => [name, data as Float32Array])) };
  } finally {
    await session.release();
  }
}

async function twoSteps(
  provider: ProviderName,
  {
    step,
    optimiser,
    groups,
    threads,
  }: Omit<StepTest, 'provider' | 'forward' | 'step'> & { readonly step: TrainingStep },
) {
  const runner = await StepRunner.open(step, { provider, optimiser, threads, seed: 1 });
  try {
    const { tensors } = runner.snapshot();
    for (const [name, values] of tensors) if (name.startsWith('v/')) values.fill(1);
    runner.restore({ steps: 0, tensors });
    const data = await madeUpData(step, runner.inputNames);
    const rates = Object.fromEntries(groups.map((name) => [name, RATE]));
    await runner.step(data, rates);
    const from = performance.now();
    await runner.step(data, rates);
    const ms = performance.now() - from;
    const stateOnDevice = runner.isOnDevice;
    await runner.toHost();
    return { ms, stateOnDevice, tensors: runner.snapshot().tensors };
  } finally {
    await runner.close();
  }
}

/** Every free input that is neither state nor a number of the step, filled with numbers within +-1. */
async function madeUpData(step: TrainingStep, read: readonly string[]): Promise<Feeds> {
  const moving = [...step.parameters, ...step.state, ...step.statistics].map(({ input }) => input);
  const given = new Set([...moving, ...step.masks.map(({ input }) => input), 'loss_scale']);
  const free = step.model.graph.inputs.filter(({ name, dims }) => {
    return read.includes(name) && !given.has(name) && (dims?.length ?? 0) > 0 && !name.startsWith(rateInput(''));
  });
  return await tensorsOf(free, free.some(({ dims }) => dims?.length === 4) ? ROWS.images : ROWS.features);
}

/** @param rows what a symbol of their shapes stands for. */
async function tensorsOf(values: readonly GraphValue[], rows: number): Promise<Feeds> {
  const { Tensor } = await loadRuntime();
  const tensorOf = ({ dims }: GraphValue) => {
    const sizes = (dims ?? []).map((dim) => (typeof dim === 'number' ? dim : rows));
    const values = Float32Array.from({ length: elementCount(sizes) }, (_, i) => {
      return ((Math.imul(i + 1, 2654435761) >>> 8) / 2 ** 24) * 2 - 1;
    });
    return new Tensor('float32', values, sizes);
  };
  // What has as many rows as the bag comes first: masks take their size from it.
  const ordered = values.toSorted((a, b) => (b.dims?.length ?? 0) - (a.dims?.length ?? 0));
  return Object.fromEntries(ordered.map((value) => [value.name, tensorOf(value)]));
}

/** Tensors that should be 0 hold rounding alone: below this share of the largest, they are compared with that. */
const SMALLEST_SHARE = 1e-4;

function largestDifference(
  found: ReadonlyMap<string, Float32Array>,
  expected: ReadonlyMap<string, Float32Array>,
): number {
  const meanSquare = (values: Float32Array): number => {
    return values.reduce((sum, value) => sum + value * value, 0) / Math.max(1, values.length);
  };
  const size = Math.max(...[...expected.values()].map((values) => Math.sqrt(meanSquare(values))));
  let worst = 0;
  for (const [name, reference] of expected) {
    const values = found.get(name);
    if (values?.length !== reference.length) return Number.POSITIVE_INFINITY;
    const difference = Math.sqrt(meanSquare(values.map((value, i) => value - (reference[i] ?? 0))));
    const relative = difference / Math.max(Math.sqrt(meanSquare(reference)), SMALLEST_SHARE * size);
    if (!(relative <= worst)) worst = Number.isNaN(relative) ? Number.POSITIVE_INFINITY : relative;
  }
  return worst;
}
