import { blockLayout } from '../graph/blocked/block-layout.ts';
import { NCHWC } from '../graph/blocked/graph-writer.ts';
import { GraphBuilder } from '../graph/builder.ts';
import { elementCount, type OnnxModel } from '../graph/model.ts';
import { encodeModel } from '../graph/proto.ts';
import { loadRuntime, openSession } from './runtime.ts';

/** Channels of the images it is tried on: a multiple of every block there may be. */
const CHANNELS = 64;
const SIDE = 5;
const IMAGE = [1, CHANNELS, SIDE, SIDE];
const FILTER = [CHANNELS, CHANNELS, 3, 3];
/** Largest difference between both layouts, over the largest value. */
const AGREEMENT = 1e-4;

let found: Promise<number | null> | null = null;

/**
 * How many channels lie together in the blocked layout of onnxruntime's convolutions on this processor (16 with AVX-512,
 * 8 with AVX), seen from what it does with an image; null where it has no such layout, or where a small network in it
 * does not give what the same network gives in the plain one. Tried once in a process.
 */
export function channelBlock(): Promise<number | null> {
  found ??= tried().catch(() => null);
  return found;
}

async function tried(): Promise<number | null> {
  const order = await run(reordering());
  const block = [4, 8, 16, 32, CHANNELS].find((size) => order.every((value, i) => value === valueAt(i, size)));
  if (block === undefined) return null;
  const [plain, blocked] = [await run(trial()), await run(blockLayout(trial(), block))];
  const largest = plain.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const close = plain.every((value, i) => Math.abs(value - (blocked[i] ?? Number.NaN)) <= AGREEMENT * largest);
  return close && largest > 0 ? block : null;
}

const PLACES = SIDE * SIDE;

/** What lies at place `i` where channels are in blocks and the image holds its own places: C / b, H, W, b. */
function valueAt(i: number, block: number): number {
  const outer = Math.floor(i / (PLACES * block));
  const place = Math.floor(i / block) % PLACES;
  return (outer * block + (i % block)) * PLACES + place;
}

function reordering(): OnnxModel {
  const g = new GraphBuilder('order');
  g.output(g.node('y', 'ReorderInput', [g.input('x', IMAGE)]), IMAGE);
  const model = g.build();
  const nodes = model.graph.nodes.map((node) => ({ ...node, domain: NCHWC }));
  return { ...model, opsets: { ...model.opsets, [NCHWC]: 1 }, graph: { ...model.graph, nodes } };
}

/**
 * What a training step has: a convolution with its activation, one that adds what came before, one whose kernel is another
 * turned round. Weights are inputs: were they constants, onnxruntime would use its blocked layout in the plain graph too.
 */
function trial(): OnnxModel {
  const g = new GraphBuilder('trial');
  const [x, w] = [g.input('x', IMAGE), g.input('w', FILTER)];
  const attributes = { pads: [1, 1, 1, 1], kernel_shape: [3, 3] };
  const first = g.node('first', 'Relu', [g.node('a', 'Conv', [x, w], attributes)]);
  const second = g.node('second', 'Add', [g.node('b', 'Conv', [first, w], attributes), first]);
  const bounds = [
    [-1, -1],
    [-(2 ** 31), -(2 ** 31)],
    [2, 3],
    [-1, -1],
  ].map((values, i) => g.ints(`bound${i}`, values));
  const turned = g.node('turned', 'Transpose', [g.node('flipped', 'Slice', [w, ...bounds])], { perm: [1, 0, 2, 3] });
  g.output(g.node('y', 'Conv', [second, turned], attributes), IMAGE);
  return g.build();
}

async function run(model: OnnxModel): Promise<Float32Array> {
  const { Tensor } = await loadRuntime();
  const session = await openSession({ model: encodeModel(model), provider: 'cpu', threads: 1 });
  try {
    const places = Float32Array.from({ length: CHANNELS * PLACES }, (_, i) => i);
    const weights = Float32Array.from({ length: elementCount(FILTER) }, (_, i) => Math.sin(1.7 * i + 0.3));
    const all = { x: new Tensor('float32', places, IMAGE), w: new Tensor('float32', weights, FILTER) };
    const { y } = await session.run(Object.fromEntries(session.inputNames.map((name) => [name, all[name as 'x']])));
    return y?.data as Float32Array;
  } finally {
    await session.release();
  }
}
