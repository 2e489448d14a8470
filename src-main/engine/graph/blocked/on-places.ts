import type { ShapeContext } from '../autodiff/shapes.ts';
import { type GraphNode, intAttribute } from '../model.ts';
import type { GraphWriter } from './graph-writer.ts';

/** Where a node stands: what lies blocked already, and how wide a block is. */
interface Place {
  readonly writer: GraphWriter;
  readonly shapes: ShapeContext;
  readonly block: number;
}

/** True where a node moves places of images about, each with all of its channels: blocked images are moved the same way. */
export function movesPlaces(node: GraphNode, { dimsOf, intsOf }: ShapeContext): boolean {
  const [x = '', second = '', , axes = ''] = node.inputs;
  const [from, to] = [dimsOf(x), dimsOf(node.outputs[0] ?? '')];
  if (node.domain !== '' || from === null || to === null || from.length < 3 || to.length < 3) return false;
  if (from[1] !== to[1] || ![...from.slice(1), ...to.slice(1)].every((size) => typeof size === 'number')) return false;
  switch (node.op) {
    case 'Pad': {
      const pads = intsOf(second);
      return pads !== null && [0, 1].every((axis) => pads[axis] === 0 && pads[axis + from.length] === 0);
    }
    case 'Slice':
      return intsOf(axes)?.every((axis) => axis >= 2) === true;
    case 'Concat':
      return intAttribute(node, 'axis', 0) >= 2;
    case 'Reshape':
      return from[0] === to[0];
    default:
      return false;
  }
}

/** The values that such a node moves: its other inputs say how. */
export function movedBy(node: GraphNode): readonly string[] {
  return node.op === 'Concat' ? node.inputs : node.inputs.slice(0, 1);
}

/**
 * Writes a node that moves places for blocked values, under the given name.
 *
 * @param blocked what it moves, blocked.
 */
export function writeMoved(
  { writer, shapes, block }: Place,
  node: GraphNode,
  blocked: readonly string[],
  output: string,
): string {
  const sizes = (name: string): readonly number[] => (shapes.dimsOf(name) ?? []).slice(1).map(Number);
  const [channels = 1, ...places] = sizes(node.outputs[0] ?? '');
  const as = [-1, channels, ...places];
  if (node.op === 'Reshape') return writer.emit('Reshape', [blocked[0] ?? '', writer.ints(as)], {}, { output });
  const open = blocked.map((value, i) => {
    const [, ...rest] = sizes(node.inputs[i] ?? '');
    return writer.reshape(value, [-1, channels / block, ...rest, block]);
  });
  const others = node.inputs.slice(open.length);
  if (node.op === 'Pad') others[0] = writer.ints(withBlockAxis(shapes.intsOf(others[0] ?? '') ?? []));
  const moved = writer.emit(node.op, [...open, ...others], node.attributes);
  return writer.emit('Reshape', [moved, writer.ints(as)], {}, { output });
}

/** Pads of all axes and of the innermost one, which gets none. */
function withBlockAxis(pads: readonly number[]): readonly number[] {
  const axes = pads.length / 2;
  return [...pads.slice(0, axes), 0, ...pads.slice(axes), 0];
}
