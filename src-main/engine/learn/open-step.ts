import { weightGradientsByTap } from '../graph/autodiff/weight-gradient-by-tap.ts';
import { blockLayout } from '../graph/blocked/block-layout.ts';
import type { OnnxModel } from '../graph/model.ts';
import { encodeModel } from '../graph/proto.ts';
import { inStrips } from '../graph/strips/in-strips.ts';
import { channelBlock } from '../infer/channel-block.ts';
import type { ProviderName } from '../infer/protocol.ts';
import { openSession, type Session } from '../infer/runtime.ts';

/** What a graph of a training step runs on. */
export interface StepSession {
  readonly provider: ProviderName;
  /** Threads of an operator; 0 = all cores. */
  readonly threads: number;
  readonly keepOnDevice: readonly string[];
}

/**
 * Opens a graph of a training step in the form that its device is fastest at: on the CPU with convolutions in the blocked
 * layout, where this processor has one, and chains over large values strip by strip; elsewhere with weight gradients as matrix products. @throws AppError as `openSession`.
 */
export async function openStep(model: OnnxModel, { provider, threads, keepOnDevice }: StepSession): Promise<Session> {
  const suited = provider === 'cpu' ? await suitedToCpu(model) : weightGradientsByTap(model);
  return await openSession({ model: encodeModel(suited), provider, threads, keepOnDevice });
}

async function suitedToCpu(model: OnnxModel): Promise<OnnxModel> {
  const block = model.graph.nodes.some(({ op }) => op === 'Conv') ? await channelBlock() : null;
  return inStrips(block === null ? model : blockLayout(model, block));
}
