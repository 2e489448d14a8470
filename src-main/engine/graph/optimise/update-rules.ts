import type { Tape } from '../autodiff/tape.ts';
import type { OptimiserSpec } from './optimiser.ts';

type AdamSpec = Extract<OptimiserSpec, { beta1: number }>;

/** What an update takes: names of values in the graph. */
export interface UpdateInputs {
  readonly parameter: string;
  readonly gradient: string;
  readonly state: readonly string[];
  readonly rate: string;
  /** 1 - beta1^t and 1 - beta2^t. */
  readonly correction1: string;
  readonly correction2: string;
  readonly weightDecay: number;
}

export interface UpdateOutputs {
  readonly parameter: string;
  readonly state: readonly string[];
}

/** Adds the nodes of one update; the formulas are PyTorch's (torch.optim.Adam, AdamW, SGD), term for term. */
export function emitUpdate(tape: Tape, spec: OptimiserSpec, inputs: UpdateInputs): UpdateOutputs {
  return spec.kind === 'sgd' ? sgd(tape, spec.momentum, inputs) : adam(tape, spec, inputs);
}

/** gradient + decay x parameter. */
function withDecay(tape: Tape, { gradient, parameter, weightDecay }: UpdateInputs): string {
  if (weightDecay === 0) return gradient;
  return tape.emit('Add', [gradient, tape.emit('Mul', [parameter, tape.scalar(weightDecay)])]);
}

function sgd(tape: Tape, momentum: number, inputs: UpdateInputs): UpdateOutputs {
  const gradient = withDecay(tape, inputs);
  const [velocity] = inputs.state;
  const direction =
    velocity === undefined
      ? gradient
      : tape.emit('Add', [tape.emit('Mul', [velocity, tape.scalar(momentum)]), gradient]);
  const parameter = tape.emit('Sub', [inputs.parameter, tape.emit('Mul', [direction, inputs.rate])]);
  return { parameter, state: velocity === undefined ? [] : [direction] };
}

/**
 * Adam over sums instead of averages: state is a = m / (1 - beta1) and b = v / (1 - beta2), so that a' = beta1 a + g and
 * b' = beta2 b + g^2. With k = sqrt((1 - beta2) / correction2) the step is
 * rate (1 - beta1) / (correction1 k) x a' / (sqrt(b') + epsilon / k): the same number, in three passes over the weights
 * fewer on each side. Everything that is one number is computed once and shared (`stepScalars`).
 */
function adam(tape: Tape, spec: AdamSpec, inputs: UpdateInputs): UpdateOutputs {
  const decoupled = spec.kind === 'adamw' && inputs.weightDecay > 0;
  const gradient = spec.kind === 'adamw' ? inputs.gradient : withDecay(tape, inputs);
  const [a = '', b = ''] = inputs.state;
  const first = tape.emit('Add', [tape.emit('Mul', [a, tape.scalar(spec.beta1)]), gradient]);
  const squared = tape.emit('Mul', [gradient, gradient]);
  const second = tape.emit('Add', [tape.emit('Mul', [b, tape.scalar(spec.beta2)]), squared]);
  const { rate, epsilon } = stepScalars(tape, spec, inputs);
  const denominator = tape.emit('Add', [tape.emit('Sqrt', [second]), epsilon]);
  const decayed = decoupled
    ? tape.emit('Mul', [
        inputs.parameter,
        tape.emit('Sub', [tape.scalar(1), tape.emit('Mul', [inputs.rate, tape.scalar(inputs.weightDecay)])]),
      ])
    : inputs.parameter;
  const step = tape.emit('Mul', [tape.emit('Div', [first, denominator]), rate]);
  return { parameter: tape.emit('Sub', [decayed, step]), state: [first, second] };
}

/** The numbers of one step and group; equal ones in a graph are computed once by the runtime. */
function stepScalars(tape: Tape, spec: AdamSpec, inputs: UpdateInputs): { rate: string; epsilon: string } {
  const share = tape.emit('Div', [tape.scalar(1 - spec.beta2), inputs.correction2]);
  const k = tape.emit('Sqrt', [share]);
  const scaled = tape.emit('Mul', [inputs.rate, tape.scalar(1 - spec.beta1)]);
  return {
    rate: tape.emit('Div', [scaled, tape.emit('Mul', [inputs.correction1, k])]),
    epsilon: tape.emit('Div', [tape.scalar(spec.epsilon), k]),
  };
}
