import type { Tape } from '../autodiff/tape.ts';
import type { OptimiserSpec } from './optimiser.ts';

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

function adam(tape: Tape, spec: Extract<OptimiserSpec, { beta1: number }>, inputs: UpdateInputs): UpdateOutputs {
  const decoupled = spec.kind === 'adamw' && inputs.weightDecay > 0;
  const gradient = spec.kind === 'adamw' ? inputs.gradient : withDecay(tape, inputs);
  const [m = '', v = ''] = inputs.state;
  const first = average(tape, m, gradient, spec.beta1);
  const second = average(tape, v, tape.emit('Mul', [gradient, gradient]), spec.beta2);
  const unbiased = tape.emit('Sqrt', [tape.emit('Div', [second, inputs.correction2])]);
  const denominator = tape.emit('Add', [unbiased, tape.scalar(spec.epsilon)]);
  const step = tape.emit('Mul', [tape.emit('Div', [first, inputs.correction1]), inputs.rate]);
  const decayed = decoupled
    ? tape.emit('Mul', [
        inputs.parameter,
        tape.emit('Sub', [tape.scalar(1), tape.emit('Mul', [inputs.rate, tape.scalar(inputs.weightDecay)])]),
      ])
    : inputs.parameter;
  const parameter = tape.emit('Sub', [decayed, tape.emit('Div', [step, denominator])]);
  return { parameter, state: [first, second] };
}

/** beta x old + (1 - beta) x value. */
function average(tape: Tape, old: string, value: string, beta: number): string {
  const kept = tape.emit('Mul', [old, tape.scalar(beta)]);
  return tape.emit('Add', [kept, tape.emit('Mul', [value, tape.scalar(1 - beta)])]);
}
