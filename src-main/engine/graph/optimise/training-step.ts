import { differentiate } from '../autodiff/differentiate.ts';
import type { Dims } from '../autodiff/shapes.ts';
import type { Tape } from '../autodiff/tape.ts';
import type { GraphTensor, OnnxModel } from '../model.ts';
import { elementCount } from '../model.ts';
import { type OptimiserSpec, type ParameterGroup, stateNames } from './optimiser.ts';
import { emitUpdate } from './update-rules.ts';

export interface TrainingStepOptions {
  readonly model: OnnxModel;
  /** Name of a value with one element. */
  readonly loss: string;
  readonly groups: readonly ParameterGroup[];
  readonly optimiser: OptimiserSpec;
  /** Largest norm of all gradients together; null = no clipping. */
  readonly clipNorm: number | null;
  /** Values of the forward pass to give out beside the loss (predictions, attention, ...). */
  readonly watch: readonly string[];
  /** Shapes of the data inputs; sizes of bags and batches may be symbols. */
  readonly inputDims: Readonly<Record<string, Dims>>;
}

/** A tensor that the step takes and gives back changed. */
export interface StateTensor {
  readonly input: string;
  readonly output: string;
  readonly dims: readonly number[];
  /** First value; null = zeros. */
  readonly initial: GraphTensor | null;
}

/**
 * One step of training as a graph: forward, backward, update. Inputs: the data, every parameter and its optimiser
 * state, and the scalars `rate/GROUP`, `correction1`,
 * `correction2`. Outputs: the loss, what is watched, every parameter and state after the update.
 */
export interface TrainingStep {
  readonly model: OnnxModel;
  readonly loss: string;
  readonly parameters: readonly StateTensor[];
  readonly state: readonly StateTensor[];
}

/** Name of the input that holds the learning rate of a group. */
export const rateInput = (group: string): string => `rate/${group}`;

/**
 * Builds the step. The gradient of a parameter that the loss does not reach is an error: training would silently
 * leave it as it is.
 *
 * @throws Error naming the parameter or operator.
 */
export function buildTrainingStep(options: TrainingStepOptions): TrainingStep {
  const names = options.groups.flatMap((group) => group.parameters);
  const tensors = new Map(options.model.graph.initializers.map((tensor) => [tensor.name, tensor]));
  const initial = names.map((name) => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new Error(`${name} is not a constant of the graph and cannot be trained`);
    return tensor;
  });
  const open = withInputs(options.model, initial);
  const { tape, gradients } = differentiate(open, options.loss, names, options.inputDims);
  const state = initial.flatMap((tensor) => stateFor(options.optimiser, tensor));
  for (const { input, dims } of state) tape.input(input, dims);
  for (const group of options.groups) tape.input(rateInput(group.name), []);
  for (const name of ['correction1', 'correction2']) tape.input(name, []);
  const clipped = clip(tape, namedGradients(names, gradients), options.clipNorm);
  for (const group of options.groups) for (const name of group.parameters) update(tape, options, group, name, clipped);
  const parameters = initial.map((tensor) => ({
    input: tensor.name,
    output: `${tensor.name}/next`,
    dims: tensor.dims,
    initial: tensor,
  }));
  const ends = [...parameters, ...state].map(({ output }) => output);
  const model = tape.close([options.loss, ...options.watch, ...ends]);
  return { model, loss: options.loss, parameters, state };
}

/** The graph with the given constants as inputs, so that one session serves changing weights. */
export function withInputs(model: OnnxModel, parameters: readonly GraphTensor[]): OnnxModel {
  const names = new Set(parameters.map(({ name }) => name));
  const inputs = model.graph.inputs.filter(({ name }) => !names.has(name));
  const added = parameters.map(({ name, dims, elementType }) => ({ name, elementType, dims }));
  const initializers = model.graph.initializers.filter(({ name }) => !names.has(name));
  return { ...model, graph: { ...model.graph, inputs: [...inputs, ...added], initializers } };
}

function stateFor(spec: OptimiserSpec, { name, dims }: GraphTensor): StateTensor[] {
  return stateNames(spec).map((kind) => {
    const input = `${kind}/${name}`;
    return { input, output: `${input}/next`, dims, initial: null };
  });
}

function namedGradients(names: readonly string[], gradients: ReadonlyMap<string, string>): Map<string, string> {
  return new Map(
    names.map((name) => {
      const gradient = gradients.get(name);
      if (gradient === undefined) throw new Error(`the loss does not depend on the parameter ${name}`);
      return [name, gradient];
    }),
  );
}

/** All gradients scaled by min(1, limit / their common norm) (Pascanu et al., 2013; torch's clip_grad_norm_). */
function clip(tape: Tape, gradients: Map<string, string>, limit: number | null): Map<string, string> {
  if (limit === null) return gradients;
  const squares = [...gradients.values()].map((gradient) =>
    tape.emit('ReduceSumSquare', [gradient], { keepdims: 0 }, []),
  );
  const total = squares.reduce((left, right) => tape.emit('Add', [left, right]));
  const norm = tape.emit('Add', [tape.emit('Sqrt', [total]), tape.scalar(1e-6)]);
  const factor = tape.emit('Min', [tape.scalar(1), tape.emit('Div', [tape.scalar(limit), norm])]);
  return new Map([...gradients].map(([name, gradient]) => [name, tape.emit('Mul', [gradient, factor])]));
}

function update(
  tape: Tape,
  options: TrainingStepOptions,
  group: ParameterGroup,
  name: string,
  gradients: ReadonlyMap<string, string>,
): void {
  const kinds = stateNames(options.optimiser);
  const done = emitUpdate(tape, options.optimiser, {
    parameter: name,
    gradient: gradients.get(name) ?? '',
    state: kinds.map((kind) => `${kind}/${name}`),
    rate: rateInput(group.name),
    correction1: 'correction1',
    correction2: 'correction2',
    weightDecay: group.weightDecay,
  });
  tape.rename(done.parameter, `${name}/next`);
  for (const [i, kind] of kinds.entries()) tape.rename(done.state[i] ?? '', `${kind}/${name}/next`);
}

/** First values of a state tensor as floats. */
export function initialValues(tensor: StateTensor): Float32Array {
  if (tensor.initial === null) return new Float32Array(elementCount(tensor.dims));
  const { data } = tensor.initial;
  return new Float32Array(data.slice().buffer);
}
