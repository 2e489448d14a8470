import { differentiate } from '../autodiff/differentiate.ts';
import { foldFrozenNorms } from '../autodiff/fold-frozen-norms.ts';
import { reluAfterPool } from '../autodiff/relu-after-pool.ts';
import { splitRows } from '../autodiff/row-split.ts';
import type { Dims } from '../autodiff/shapes.ts';
import { Tape } from '../autodiff/tape.ts';
import { ELEMENT, type GraphNode, type OnnxModel } from '../model.ts';
import { GRADIENT_SCALE, gradientInput, type TrainingStepOptions } from './step-options.ts';
import { addUp, type StateTensor, trainedTensors, withInputs } from './training-step.ts';
import { updateGraph } from './update-graph.ts';

/** A value between the parts, by row, with the name of its gradient. */
export interface BorderValue {
  readonly name: string;
  readonly gradient: string;
  readonly dims: Dims;
}

/**
 * One step over a bag of any size in parts, with the gradient of the whole bag: (1) `front` gives the border values of
 * some rows; (2) `back` takes those of all rows and gives the loss and the gradients of the border; (3) `frontBackward`
 * computes some rows again and adds their share to the accumulators; (4) `update`. Only the border is held for all rows
 * (activation recomputation: Chen et al., 2016, arXiv 1604.06174).
 */
export interface TiledStep {
  readonly front: OnnxModel;
  readonly back: OnnxModel;
  readonly frontBackward: OnnxModel;
  readonly update: OnnxModel;
  readonly loss: string;
  readonly border: readonly BorderValue[];
  /** Free inputs of the front with one row a tile. */
  readonly rowInputs: readonly string[];
  /** What each backward graph adds to. */
  readonly accumulators: { readonly back: readonly StateTensor[]; readonly front: readonly StateTensor[] };
}

/** @param rows symbol of the axis along which the bag is cut. Throws as `buildTrainingStep`. */
export function buildTiledStep(options: TrainingStepOptions, rows: string): TiledStep {
  const trained = trainedTensors(options);
  const names = trained.map(({ name }) => name);
  const { model, inputDims, loss } = options;
  const folded = foldFrozenNorms(model, { trained: new Set(names), inputDims, read: [loss] });
  const open = withInputs(reluAfterPool(folded, [loss]), trained);
  const split = splitRows(open, rows, [options.loss]);
  const border = split.border.map(({ name, dims }) => ({ name, gradient: `d/${name}`, dims }));
  const back = backward(split.back, options.loss, names, border);
  const front = frontBackward(split.front, names, border);
  const unreached = names.find((name) => !back.reached.includes(name) && !front.reached.includes(name));
  if (unreached !== undefined) throw new Error(`the loss does not depend on the parameter ${unreached}`);
  const accumulator = (name: string): StateTensor => ({
    input: gradientInput(name),
    output: `${gradientInput(name)}/next`,
    dims: trained.find((tensor) => tensor.name === name)?.dims ?? [],
    initial: null,
  });
  return {
    front: new Tape(split.front, {}).close(border.map(({ name }) => name)),
    back: back.model,
    frontBackward: front.model,
    update: updateGraph({ ...options, lossScaling: false }, trained).model,
    loss: options.loss,
    border,
    rowInputs: split.rowInputs,
    accumulators: { back: back.reached.map(accumulator), front: front.reached.map(accumulator) },
  };
}

function backward(model: OnnxModel, loss: string, names: readonly string[], border: readonly BorderValue[]) {
  const wanted = [...names.filter((name) => model.graph.inputs.some((input) => input.name === name))];
  const values = [...wanted, ...border.map(({ name }) => name)];
  const { tape, gradients } = differentiate(model, loss, values, {}, { scaleInput: GRADIENT_SCALE });
  const reached = wanted.filter((name) => gradients.has(name));
  addUp(tape, new Map(reached.map((name) => [name, gradients.get(name) ?? ''])));
  for (const { name, gradient } of border) {
    const value = gradients.get(name);
    tape.rename(value ?? tape.zerosLike(name), gradient);
  }
  const sums = reached.map((name) => `${gradientInput(name)}/next`);
  return { reached, model: tape.close([loss, ...border.map(({ gradient }) => gradient), ...sums]) };
}

/** The gradient of sum(border value x its gradient): what flows back through these rows. */
function frontBackward(model: OnnxModel, names: readonly string[], border: readonly BorderValue[]) {
  const node = (op: string, name: string, inputs: readonly string[]): GraphNode => ({
    ...{ name, op, inputs, outputs: [name], domain: '' },
    attributes: op === 'ReduceSum' ? { keepdims: { kind: 'int', value: 0 } } : {},
  });
  const terms = border.flatMap(({ name, gradient }, i) => [
    node('Mul', `flow${i}`, [name, gradient]),
    node('ReduceSum', `flow${i}_sum`, [`flow${i}`]),
  ]);
  const sums = border.map((_, i) => `flow${i}_sum`);
  const total = sums
    .slice(1)
    .map((name, i) => node('Add', `flow_to${i}`, [i === 0 ? (sums[0] ?? '') : `flow_to${i - 1}`, name]));
  const loss = total.at(-1)?.name ?? sums[0] ?? '';
  const given = border.map(({ gradient, dims }) => ({ name: gradient, elementType: ELEMENT.float, dims }));
  const wanted = names.filter((name) => model.graph.inputs.some((input) => input.name === name));
  const graph = {
    ...model.graph,
    nodes: [...model.graph.nodes, ...terms, ...total],
    inputs: [...model.graph.inputs, ...given],
  };
  const { tape, gradients } = differentiate({ ...model, graph }, loss, wanted, {});
  const reached = wanted.filter((name) => gradients.has(name));
  addUp(tape, new Map(reached.map((name) => [name, gradients.get(name) ?? ''])));
  return { reached, model: tape.close(reached.map((name) => `${gradientInput(name)}/next`)) };
}
