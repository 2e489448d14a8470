import { weightGradientsByTap } from '../graph/autodiff/weight-gradient-by-tap.ts';
import { blockLayout } from '../graph/blocked/block-layout.ts';
import { type HeldFilters, holdFilters, isHoldable } from '../graph/blocked/held-filters.ts';
import { masksInOne } from '../graph/masks-in-one.ts';
import type { OnnxModel } from '../graph/model.ts';
import { gradientInput } from '../graph/optimise/step-options.ts';
import type { TrainingStep } from '../graph/optimise/training-step.ts';
import { encodeModel } from '../graph/proto.ts';
import { inStrips } from '../graph/strips/in-strips.ts';
import { channelBlock } from '../infer/channel-block.ts';
import type { ProviderName } from '../infer/protocol.ts';
import { openSession, type Session } from '../infer/runtime.ts';
import { stopsBeforeCopies, withoutCopies } from './run-in-place.ts';

/** What a graph of a training step runs on. */
export interface StepSession {
  readonly provider: ProviderName;
  /** Threads of an operator; 0 = all cores. */
  readonly threads: number;
  readonly keepOnDevice: readonly string[];
}

/**
 * Opens a graph of a training step, to be run by `runStep`, in the form that its device is fastest at: on the CPU with
 * convolutions in the blocked layout, where this processor has one, masks in one operator, chains over large values strip
 * by strip, and outputs that nobody copies; elsewhere with weight gradients as matrix products.
 *
 * @param held filters that are handed in and out in blocks (`heldFilters`). @throws AppError as `openSession`.
 */
export async function openStep(
  model: OnnxModel,
  { provider, threads, keepOnDevice }: StepSession,
  held: HeldFilters | null,
): Promise<Session> {
  const suited = provider === 'cpu' ? await suitedToCpu(model, held) : weightGradientsByTap(model);
  return await openSession({ model: encodeModel(suited), provider, threads, keepOnDevice });
}

/**
 * Which filters of a step are held in blocks of channels instead of [out, in, kernel] by every graph that hands them on:
 * names of the inputs for weights, optimiser state and summed gradients. Null where a device has no use for it.
 */
export async function heldFilters(step: TrainingStep, provider: ProviderName): Promise<HeldFilters | null> {
  const block = provider === 'cpu' && hasConvolutions(step.model) ? await channelBlock() : null;
  if (block === null) return null;
  const filters = step.parameters.filter(({ dims }) => isHoldable(dims, block)).map(({ input }) => input);
  const state = step.state
    .map(({ input }) => input)
    .filter((input) => filters.includes(input.slice(input.indexOf('/') + 1)));
  return { names: new Set([...filters, ...state, ...filters.map(gradientInput)]), block };
}

async function suitedToCpu(model: OnnxModel, held: HeldFilters | null): Promise<OnnxModel> {
  const block = hasConvolutions(model) ? await channelBlock() : null;
  const masked = masksInOne(held === null ? model : holdFilters(model, held));
  const cut = inStrips(block === null ? masked : blockLayout(masked, block));
  return (await stopsBeforeCopies()) ? withoutCopies(cut) : cut;
}

const hasConvolutions = ({ graph }: OnnxModel): boolean => graph.nodes.some(({ op }) => op === 'Conv');
