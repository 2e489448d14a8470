import { Tape } from '../autodiff/tape.ts';
import { GraphBuilder } from '../builder.ts';
import { ELEMENT, type GraphTensor, type OnnxModel } from '../model.ts';
import { stateNames } from './optimiser.ts';
import { gradientInput, LOSS_SCALE, rateInput, type TrainingStepOptions } from './step-options.ts';
import { emitUpdate } from './update-rules.ts';

type UpdateOptions = Pick<TrainingStepOptions, 'groups' | 'optimiser' | 'clipNorm' | 'lossScaling'>;

/** The update alone: parameters, state and summed gradients in, parameters and state out. */
export function updateGraph(
  options: UpdateOptions,
  initial: readonly GraphTensor[],
): { readonly model: OnnxModel; readonly overflow: string | null } {
  const g = new GraphBuilder('update');
  for (const { name, dims } of initial) g.input(name, dims);
  const tape = new Tape(g.build(), {});
  const gradients = new Map(initial.map(({ name, dims }) => [name, tape.input(gradientInput(name), dims)]));
  const overflow = emitUpdates(tape, options, gradients, false);
  const ends = initial.flatMap(({ name }) => [
    `${name}/next`,
    ...stateNames(options.optimiser).map((kind) => `${kind}/${name}/next`),
  ]);
  return { model: tape.close([...ends, ...(overflow === null ? [] : [overflow])]), overflow };
}

/**
 * Adds unscaling, clipping and the updates of all groups, as PyTorch orders them (scaler.unscale_, clip_grad_norm_,
 * optimizer.step); declares the inputs they take.
 *
 * @param scaleDeclared true where the loss scale is an input already.
 * @returns the name of the overflow output, null without loss scaling.
 */
export function emitUpdates(
  tape: Tape,
  options: UpdateOptions,
  gradients: ReadonlyMap<string, string>,
  scaleDeclared: boolean,
): string | null {
  for (const [name] of gradients) {
    const dims = tape.shape(name).map(Number);
    for (const kind of stateNames(options.optimiser)) tape.input(`${kind}/${name}`, dims);
  }
  for (const group of options.groups) tape.input(rateInput(group.name), []);
  for (const name of ['correction1', 'correction2']) tape.input(name, []);
  const scaled = options.lossScaling === true;
  if (scaled && !scaleDeclared) tape.input(LOSS_SCALE, []);
  const finite = scaled ? allFinite(tape, gradients) : null;
  const clipped = clip(tape, scaled ? unscaled(tape, gradients) : gradients, options.clipNorm);
  for (const group of options.groups) {
    for (const name of group.parameters) update(tape, options, group, name, clipped, finite);
  }
  if (finite === null) return null;
  const overflow = tape.emit('Cast', [tape.emit('Not', [finite])], { to: ELEMENT.float });
  tape.rename(overflow, 'overflow');
  return 'overflow';
}

function unscaled(tape: Tape, gradients: ReadonlyMap<string, string>): Map<string, string> {
  const inverse = tape.emit('Reciprocal', [LOSS_SCALE]);
  return new Map([...gradients].map(([name, gradient]) => [name, tape.emit('Mul', [gradient, inverse])]));
}

/** True where no gradient is infinite or NaN: 0 x gradient sums to 0 then, else to NaN. */
function allFinite(tape: Tape, gradients: ReadonlyMap<string, string>): string {
  const zeros = [...gradients.values()].map((gradient) =>
    tape.emit('ReduceSum', [tape.emit('Mul', [gradient, tape.scalar(0)])], { keepdims: 0 }, []),
  );
  const total = zeros.reduce((left, right) => tape.emit('Add', [left, right]));
  return tape.emit('Equal', [total, tape.scalar(0)]);
}

/** All gradients scaled by min(1, limit / their common norm) (Pascanu et al., 2013; torch's clip_grad_norm_). */
function clip(tape: Tape, gradients: ReadonlyMap<string, string>, limit: number | null): ReadonlyMap<string, string> {
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
  { optimiser }: UpdateOptions,
  group: UpdateOptions['groups'][number],
  name: string,
  gradients: ReadonlyMap<string, string>,
  finite: string | null,
): void {
  const kinds = stateNames(optimiser);
  const state = kinds.map((kind) => `${kind}/${name}`);
  const done = emitUpdate(tape, optimiser, {
    parameter: name,
    gradient: gradients.get(name) ?? '',
    state,
    rate: rateInput(group.name),
    correction1: 'correction1',
    correction2: 'correction2',
    weightDecay: group.weightDecay,
  });
  const kept = (next: string, old: string): string =>
    finite === null ? next : tape.emit('Where', [finite, next, old]);
  tape.rename(kept(done.parameter, name), `${name}/next`);
  for (const [i, kind] of kinds.entries()) {
    tape.rename(kept(done.state[i] ?? '', `${kind}/${name}`), `${kind}/${name}/next`);
  }
}
