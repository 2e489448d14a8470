import { GraphBuilder } from '../graph/builder.ts';
import { elementCount, type OnnxModel } from '../graph/model.ts';
import { encodeModel } from '../graph/proto.ts';
import { loadRuntime, openSession, type Runtime, type Session } from '../infer/runtime.ts';
import type { Feeds, Tensor } from './moving-tensor.ts';

/** An output that is no tensor. */
const NO_TENSOR = 'hyaline/no_tensor';
/** What onnxruntime-node says of one (js/node/src/tensor_helper.cc, version 1.30): after the run, before its first copy. */
const REFUSAL = 'Non tensor type is temporarily not supported.';

let found: Promise<boolean> | null = null;

/**
 * True where a run of a graph `withoutCopies` writes all of its outputs and copies none, seen from a small one. The binding
 * of onnxruntime copies every output into memory of its own making, also those that were just written where the caller
 * wanted them: for a network of 11 million weights 135 MB a step, a tenth of its time. It goes through the outputs in their
 * order and gives up at one that is no tensor. A version that does not copy needs none of this: then this is false, and
 * every session runs as any other. Tried once in a process.
 */
export function stopsBeforeCopies(): Promise<boolean> {
  found ??= tried().catch(() => false);
  return found;
}

/** The same graph with an output that is no tensor, before all others. */
export function withoutCopies(model: OnnxModel): OnnxModel {
  const { graph } = model;
  const none = { name: NO_TENSOR, op: 'SequenceEmpty', domain: '', inputs: [], outputs: [NO_TENSOR], attributes: {} };
  const outputs = [{ name: NO_TENSOR, elementType: 0, dims: null }, ...graph.outputs];
  return { ...model, graph: { ...graph, nodes: [...graph.nodes, none], outputs } };
}

/**
 * Runs a graph of a training step; outputs are written into the tensors that are given for them.
 *
 * @param outputs null, or nothing, for those that may lie anywhere.
 * @returns all outputs by name. @throws what the run throws.
 */
export async function runStep(
  runtime: Runtime,
  session: Session,
  feeds: Feeds,
  outputs: Readonly<Record<string, Tensor | null>>,
): Promise<Feeds> {
  const names = session.outputNames.filter((name) => name !== NO_TENSOR);
  const wanted = Object.fromEntries(names.map((name) => [name, outputs[name] ?? null]));
  const all = names.length < session.outputNames.length ? completed(runtime, session, wanted) : null;
  if (all === null) return (await session.run(feeds, wanted)) as Feeds;
  try {
    return (await session.run(feeds, { ...all, [NO_TENSOR]: null })) as Feeds;
  } catch (cause) {
    if (!(cause instanceof Error) || cause.message !== REFUSAL) throw cause;
    return all;
  }
}

/** The outputs with a tensor for each that has none yet (a loss, what is watched); null where a size is not known. */
function completed(
  { Tensor }: Runtime,
  { outputMetadata }: Session,
  outputs: Readonly<Record<string, Tensor | null>>,
): Feeds | null {
  const all: Record<string, Tensor> = {};
  for (const [name, given] of Object.entries(outputs)) {
    const declared = outputMetadata.find((each) => each.name === name);
    const shape = declared?.isTensor === true && declared.type === 'float32' ? declared.shape : null;
    const sizes = shape?.filter((size) => typeof size === 'number') ?? [];
    if (given !== null) all[name] = given;
    else if (shape === null || sizes.length < shape.length) return null;
    else all[name] = new Tensor('float32', new Float32Array(elementCount(sizes)), sizes);
  }
  return all;
}

/** One output in memory of its own, one over what it is made from. */
async function tried(): Promise<boolean> {
  const g = new GraphBuilder('trial');
  g.output(g.node('y', 'Add', [g.input('x', [3]), 'x']), [3]);
  g.output(g.node('z', 'Neg', [g.input('w', [3])]), [3]);
  const [model, runtime] = [encodeModel(withoutCopies(g.build())), await loadRuntime()];
  const session = await openSession({ model, provider: 'cpu', threads: 1 });
  const tensor = (...values: number[]): Tensor => new runtime.Tensor('float32', Float32Array.from(values), [3]);
  const [x, w, y] = [tensor(1, 2, 3), tensor(4, 5, 6), tensor(0, 0, 0)];
  try {
    const results = await runStep(runtime, session, { x, w }, { y, z: w });
    const stopped = results.y === y && results.z === w;
    return stopped && `${y.data},${w.data}` === '2,4,6,-4,-5,-6';
  } finally {
    await session.release();
  }
}
