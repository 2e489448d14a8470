import { type GraphNode, intsAttribute } from '../model.ts';
import type { NdArray } from './nd-array.ts';

export function floatAttributeOf(node: GraphNode, name: string, fallback: number): number {
  const attribute = node.attributes[name];
  return attribute?.kind === 'float' || attribute?.kind === 'int' ? attribute.value : fallback;
}

/** Integers given as an attribute in older operator sets and as an input since; null where left out. */
export function intsGiven(node: GraphNode, name: string, input: NdArray | undefined): readonly number[] | null {
  return intsAttribute(node, name) ?? (input === undefined ? null : [...input.data]);
}
