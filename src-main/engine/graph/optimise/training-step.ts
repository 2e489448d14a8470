import { inTrainingMode, measureBatchNorms, type RunningStatistic } from '../autodiff/batch-norm-training.ts';
import { differentiate } from '../autodiff/differentiate.ts';
import { type DropoutMask, withDropoutMasks } from '../autodiff/dropout.ts';
import { foldFrozenNorms } from '../autodiff/fold-frozen-norms.ts';
import { reluAfterPool } from '../autodiff/relu-after-pool.ts';
import type { Tape } from '../autodiff/tape.ts';
import type { GraphTensor, OnnxModel } from '../model.ts';
import { elementCount, floatsOf } from '../model.ts';
import { type OptimiserSpec, stateNames } from './optimiser.ts';
import { GRADIENT_SCALE, gradientInput, LOSS_SCALE, type TrainingStepOptions } from './step-options.ts';
import { emitUpdates, updateGraph } from './update-graph.ts';

/** A tensor that a step takes and gives back changed. */
export interface StateTensor {
  readonly input: string;
  readonly output: string;
  readonly dims: readonly number[];
  /** First value; null = zeros. */
  readonly initial: GraphTensor | null;
}

/**
 * Training as graphs. In one graph (`update` null): forward, backward, update. Inputs: the data, masks, every parameter
 * and its optimiser state, running statistics and the scalars `rate/GROUP`, `correction1`, `correction2` and
 * `loss_scale`, as far as they are used; outputs: the loss, what is watched and all tensors after the step.
 *
 * With accumulation `model` adds to the accumulators instead (its scalar input `gradient_scale` is the loss scale times
 * the micro-batch's share), and `update` takes parameters, state and accumulators.
 */
export interface TrainingStep {
  readonly model: OnnxModel;
  readonly update: OnnxModel | null;
  readonly loss: string;
  readonly watch: readonly string[];
  readonly parameters: readonly StateTensor[];
  readonly state: readonly StateTensor[];
  /** Running means and variances of batch norms in training. */
  readonly statistics: readonly StateTensor[];
  /** Sums of gradients; the caller zeroes them after an update. */
  readonly accumulators: readonly StateTensor[];
  readonly masks: readonly DropoutMask[];
  /** Output that is 1 where gradients overflowed and nothing was changed; null without loss scaling. */
  readonly overflow: string | null;
}

/**
 * Builds the step. The gradient of a parameter that the loss does not reach is an error: training would silently
 * leave it as it is.
 *
 * @throws Error naming the parameter or operator.
 */
export function buildTrainingStep(options: TrainingStepOptions): TrainingStep {
  const initial = trainedTensors(options);
  const prepared = prepare(options);
  const kept = prepared.running.map(({ tensor }) => tensor);
  const constants = prepared.model.graph.initializers.filter(({ name }) => kept.includes(name));
  const open = withInputs(prepared.model, [...initial, ...constants]);
  const { accumulate = false, lossScaling = false } = options;
  const scaleInput = accumulate ? GRADIENT_SCALE : lossScaling ? LOSS_SCALE : undefined;
  const { tape, gradients } = differentiate(open, options.loss, namesOf(options), options.inputDims, {
    batchNorms: prepared.batchNorms,
    ...(scaleInput === undefined ? {} : { scaleInput }),
  });
  const named = namedGradients(namesOf(options), gradients);
  const parts = tensorsOf(options, initial, prepared.running, constants);
  for (const { tensor, next } of prepared.running) tape.rename(next, `${tensor}/next`);
  const common = { loss: options.loss, watch: options.watch, masks: prepared.masks, ...parts };
  const forward = [options.loss, ...options.watch, ...parts.statistics.map(({ output }) => output)];
  if (accumulate) {
    addUp(tape, named);
    const model = tape.close([...forward, ...parts.accumulators.map(({ output }) => output)]);
    const { model: update, overflow } = updateGraph(options, initial);
    return { ...common, model, update, overflow };
  }
  const overflow = emitUpdates(tape, options, named, true);
  const ends = [...parts.parameters, ...parts.state].map(({ output }) => output);
  const model = tape.close([...forward, ...ends, ...(overflow === null ? [] : [overflow])]);
  return { ...common, accumulators: [], model, update: null, overflow };
}

const namesOf = ({ groups }: Pick<TrainingStepOptions, 'groups'>): readonly string[] =>
  groups.flatMap(({ parameters }) => parameters);

/** The constants to train, in the order of the groups. Throws for a name that is none. */
export function trainedTensors({ model, groups }: Pick<TrainingStepOptions, 'model' | 'groups'>): GraphTensor[] {
  const tensors = new Map(model.graph.initializers.map((tensor) => [tensor.name, tensor]));
  return namesOf({ groups }).map((name) => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new Error(`${name} is not a constant of the graph and cannot be trained`);
    return tensor;
  });
}

/** The network with its training-time behaviour spelt out (masks for dropout, measured batch norms), as cheap as it can be. */
function prepare(options: TrainingStepOptions) {
  const { model, inputDims, batchNorm = 'frozen' } = options;
  const dropped = withDropoutMasks(model, inputDims);
  const measured = measureBatchNorms(batchNorm === 'batch' ? inTrainingMode(dropped.model) : dropped.model);
  const read = [options.loss, ...options.watch];
  const folded = foldFrozenNorms(measured.model, {
    trained: new Set(namesOf(options)),
    batchNorms: measured.batchNorms,
    inputDims,
    read,
  });
  return { ...measured, model: reluAfterPool(folded, read), masks: dropped.masks };
}

function tensorsOf(
  { optimiser }: TrainingStepOptions,
  initial: readonly GraphTensor[],
  running: readonly RunningStatistic[],
  constants: readonly GraphTensor[],
) {
  const moving = (tensor: GraphTensor): StateTensor => ({
    ...{ input: tensor.name, output: `${tensor.name}/next`, dims: tensor.dims, initial: tensor },
  });
  const accumulators = initial.map(({ name, dims }): StateTensor => {
    const input = gradientInput(name);
    return { input, output: `${input}/next`, dims, initial: null };
  });
  const statistics = running.flatMap(({ tensor }) => constants.filter(({ name }) => name === tensor).map(moving));
  const state = initial.flatMap((tensor) => stateFor(optimiser, tensor));
  return { parameters: initial.map(moving), state, statistics, accumulators };
}

/** Each gradient added to what its accumulator held. */
export function addUp(tape: Tape, gradients: ReadonlyMap<string, string>): void {
  for (const [name, gradient] of gradients) {
    const dims = tape.shape(name).map(Number);
    const sum = tape.emit('Add', [tape.input(gradientInput(name), dims), gradient]);
    tape.rename(sum, `${gradientInput(name)}/next`);
  }
}

/** The graph with the given constants as inputs, so that one session serves changing weights. */
export function withInputs(model: OnnxModel, parameters: readonly GraphTensor[]): OnnxModel {
  const names = new Set(parameters.map(({ name }) => name));
  const inputs = model.graph.inputs.filter(({ name }) => !names.has(name));
  const added = parameters.map(({ name, dims, elementType }) => ({ name, elementType, dims }));
  const initializers = model.graph.initializers.filter(({ name }) => !names.has(name));
  return { ...model, graph: { ...model.graph, inputs: [...inputs, ...added], initializers } };
}

export function stateFor(spec: OptimiserSpec, { name, dims }: GraphTensor): StateTensor[] {
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

/** First values of a state tensor as floats. */
export function initialValues(tensor: StateTensor): Float32Array {
  if (tensor.initial === null) return new Float32Array(elementCount(tensor.dims));
  return Float32Array.from(floatsOf(tensor.initial));
}
