import type { GraphNode, OnnxModel } from '../model.ts';
import { CONVOLUTION_RULES } from './rules-convolution.ts';
import { ELEMENTWISE_RULES, type GradientRule } from './rules-elementwise.ts';
import { LINEAR_RULES } from './rules-linear.ts';
import { NORMALISATION_RULES } from './rules-normalisation.ts';
import { SHAPE_RULES } from './rules-shape.ts';
import type { Dims } from './shapes.ts';
import { Tape } from './tape.ts';

const RULES: Readonly<Record<string, GradientRule>> = {
  ...ELEMENTWISE_RULES,
  ...SHAPE_RULES,
  ...LINEAR_RULES,
  ...CONVOLUTION_RULES,
  ...NORMALISATION_RULES,
};

/** Operators that have a gradient. */
export const DIFFERENTIABLE: readonly string[] = Object.keys(RULES);

/** Operators whose outputs pass no gradient on. */
const NO_GRADIENT = new Set(
  'Constant TopK Shape Size Greater GreaterOrEqual Less LessOrEqual Equal Not Cast ConstantOfShape Sign'.split(' '),
);

export interface Differentiated {
  /** Forward and backward nodes with all shapes: add to it, then `close` it into a model. */
  readonly tape: Tape;
  /** Name of the gradient of each value asked for; a value the loss does not depend on has none. */
  readonly gradients: ReadonlyMap<string, string>;
}

export interface DifferentiationOptions {
  /** BatchNormalization nodes whose mean and variance are those of the batch itself; gradients flow through them. */
  readonly batchNorms?: ReadonlySet<string>;
  /** Name of a new scalar input that multiplies every gradient: a loss scale, a micro-batch's share. */
  readonly scaleInput?: string;
}

/**
 * Reverse-mode differentiation of an ONNX graph into more ONNX: adds the nodes that compute d loss / d value for
 * each of `values` (initialisers or inputs). Runs on whatever runs the graph; no other framework is involved.
 *
 * @param loss name of a value with one element.
 * @param inputDims shapes of the free inputs; image sizes must be numbers, batch and bag sizes may be symbols.
 * @throws Error naming the operator where one on the way has no gradient rule.
 */
export function differentiate(
  model: OnnxModel,
  loss: string,
  values: readonly string[],
  inputDims: Readonly<Record<string, Dims>> = {},
  options: DifferentiationOptions = {},
): Differentiated {
  const tape = new Tape(model, inputDims, options.batchNorms);
  const needed = dependents(model.graph.nodes, values);
  const parts = new Map<string, string[]>([[loss, [seed(tape, loss, options.scaleInput ?? null)]]]);
  for (const node of model.graph.nodes.toReversed()) {
    if (NO_GRADIENT.has(node.op) || !node.inputs.some((input) => needed.has(input))) continue;
    const all = node.outputs.map((output) => total(tape, parts, output));
    const dy = all.find((gradient) => gradient !== null) ?? null;
    if (dy === null) continue;
    const rule = RULES[node.op];
    if (rule === undefined) throw new Error(`the operator ${node.op} has no gradient here`);
    for (const [position, gradient] of rule(tape, node, dy, all).entries()) {
      const input = node.inputs[position];
      if (gradient === null || !input || !needed.has(input)) continue;
      parts.set(input, [...(parts.get(input) ?? []), gradient]);
    }
  }
  const gradients = new Map<string, string>();
  for (const value of values) {
    const gradient = total(tape, parts, value);
    if (gradient !== null) gradients.set(value, gradient);
  }
  return { tape, gradients };
}

/** d loss / d loss = 1, or the scale given at run time, in the loss's own shape. */
function seed(tape: Tape, loss: string, scaleInput: string | null): string {
  const dims = tape.shape(loss);
  if (!dims.every((dim) => dim === 1)) throw new Error(`the loss must be one number, not [${dims}]`);
  const one = scaleInput === null ? tape.scalar(1) : tape.input(scaleInput, []);
  return dims.length === 0 ? one : tape.expandLike(one, loss);
}

/** The sum of what flows into a value; computed once, null where nothing does. */
function total(tape: Tape, parts: Map<string, string[]>, value: string): string | null {
  const list = parts.get(value);
  const [first, ...rest] = list ?? [];
  if (first === undefined) return null;
  const sum = rest.reduce((left, right) => tape.emit('Add', [left, right]), first);
  parts.set(value, [sum]);
  return sum;
}

/** The values through which a change of `values` reaches anything, themselves included. */
function dependents(nodes: readonly GraphNode[], values: readonly string[]): ReadonlySet<string> {
  const reached = new Set(values);
  for (const node of nodes) {
    if (node.inputs.some((input) => reached.has(input))) for (const output of node.outputs) reached.add(output);
  }
  return reached;
}
