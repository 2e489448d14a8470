import { NetworkBuilder } from '../backbone/architectures/network.ts';
import { randomWeights } from '../backbone/random-weights.ts';
import { encodeModel } from '../graph/proto.ts';
import type { ProviderName } from './protocol.ts';
import { loadRuntime, openSession, type Session } from './runtime.ts';

/** How a device did on the self-test, compared with the CPU. */
export interface SelfTestResult {
  /** Largest difference of a feature, relative to the features' root mean square. */
  readonly relativeError: number;
  readonly deviceMs: number;
  readonly cpuMs: number;
}

/** float32 with another order of additions; TF32 or float16 arithmetic is caught. */
export const MAX_RELATIVE_ERROR = 1e-3;

/** A small residual network with the operators every convolutional backbone uses. */
function selfTestModel(): Uint8Array {
  const net = new NetworkBuilder('self-test', randomWeights(3));
  let x = net.relu(
    net.batchNorm(net.conv(net.image(64), 'c1', { channels: 16, kernel: 7, stride: 2, padding: 3 }), 'n1'),
    'r1',
  );
  x = net.pool(x, 'p1', 'MaxPool', { kernel: 3, stride: 2, padding: 1 });
  const y = net.batchNorm(net.conv(x, 'c2', { channels: 16, kernel: 3, padding: 1 }), 'n2');
  x = net.relu(net.add(x, y, 'a2'), 'r2');
  x = net.concat([x, net.relu(net.conv(x, 'c3', { channels: 32, kernel: 1, bias: true }), 'r3')], 'cat');
  net.cut('features', x.name, x.channels);
  return encodeModel(net.finish('self-test').model);
}

/**
 * Runs a network on a device and on the CPU and compares the features and the time. Blocks, and a bad driver may kill
 * the process: run it in a child process.
 *
 * @param modelPath the backbone to be used; null = a small built-in network.
 * @throws AppError DeviceFailed, BackboneFailed.
 */
export async function selfTest(
  provider: ProviderName,
  modelPath: string | null,
  dims: readonly number[],
): Promise<SelfTestResult> {
  const model = modelPath ?? selfTestModel();
  const device = await openSession({ model, provider, threads: 0 });
  const cpu = await openSession({ model, provider: 'cpu', threads: 0 });
  try {
    const wanted = fixedBatch(cpu, dims);
    const [first, second] = [await timedRun(device, wanted), await timedRun(cpu, wanted)];
    return { relativeError: relativeError(first.values, second.values), deviceMs: first.ms, cpuMs: second.ms };
  } finally {
    await device.release();
    await cpu.release();
  }
}

/** The dims with the batch a network fixes, where it does. */
function fixedBatch(session: Session, dims: readonly number[]): readonly number[] {
  const [input] = session.inputMetadata;
  const batch = input?.isTensor ? input.shape[0] : undefined;
  return typeof batch === 'number' && batch > 0 ? [batch, ...dims.slice(1)] : dims;
}

async function timedRun(session: Session, dims: readonly number[]): Promise<{ values: Float32Array; ms: number }> {
  const { Tensor } = await loadRuntime();
  const count = dims.reduce((product, dim) => product * dim, 1);
  const image = Float32Array.from(
    { length: count },
    (_, i) => ((Math.imul(i + 1, 2654435761) >>> 8) / 2 ** 24) * 2 - 1,
  );
  const feeds = { [session.inputNames[0] ?? '']: new Tensor('float32', image, [...dims]) };
  // The first run prepares kernels; only the second is timed.
  await session.run(feeds);
  const start = performance.now();
  const results = await session.run(feeds);
  const ms = performance.now() - start;
  const outputs = session.outputNames.map((name) => results[name]?.data);
  return { values: outputs.find((data) => data instanceof Float32Array) ?? new Float32Array(), ms };
}

/** Largest difference relative to the reference's root mean square; infinite where a value is not a number. */
export function relativeError(values: Float32Array, reference: Float32Array): number {
  if (values.length !== reference.length || values.length === 0) return Number.POSITIVE_INFINITY;
  let worst = 0;
  let squares = 0;
  for (let i = 0; i < values.length; i += 1) {
    const difference = Math.abs((values[i] ?? 0) - (reference[i] ?? 0));
    if (Number.isNaN(difference)) return Number.POSITIVE_INFINITY;
    worst = Math.max(worst, difference);
    squares += (reference[i] ?? 0) ** 2;
  }
  return worst / Math.sqrt(squares / values.length);
}
