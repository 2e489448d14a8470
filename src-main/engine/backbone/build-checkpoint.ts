import type { OnnxModel } from '../graph/model.ts';
import { readWholeFile } from '../infer/model-file.ts';
import type { CardFile } from './card-schema.ts';
import {
  type BuildHints,
  buildFromCheckpoint,
  type MatchReport,
  matchCheckpoint,
  summarizeMatch,
} from './checkpoint/match.ts';
import { isSafetensors, readSafetensors } from './checkpoint/safetensors.ts';
import type { Checkpoint } from './checkpoint/tensor.ts';
import { isTorchFile, readTorchFile } from './checkpoint/torch.ts';

/** Reads a checkpoint (.safetensors, .pth, .pt, .ckpt, .pth.tar) by its content; null where the bytes are none. */
export function readCheckpoint(bytes: Uint8Array): Checkpoint | null {
  if (isTorchFile(bytes)) return readTorchFile(bytes);
  return isSafetensors(bytes) ? readSafetensors(bytes) : null;
}

/**
 * Builds the ONNX network a checkpoint belongs to; null where the bytes are no checkpoint.
 *
 * @throws AppError BackboneUnreadable, BackboneShapeUnsupported, NotAllowed for a pickle that names code.
 */
export function buildCheckpoint(
  bytes: Uint8Array,
  fileName: string,
  hints: BuildHints = {},
): { model: OnnxModel; said: CardFile; assumed: readonly string[] } | null {
  const checkpoint = readCheckpoint(bytes);
  if (!checkpoint) return null;
  const { network, report, assumed } = buildFromCheckpoint(checkpoint, hints);
  const said: CardFile = {
    architecture: report.architecture,
    source: `imported from ${fileName}: ${summarizeMatch(report)}`,
    defaultCut: network.defaultCut,
  };
  return { model: network.model, said, assumed };
}

/** How the keys of a checkpoint fit the networks we build; null where the file is no checkpoint. */
export async function reportCheckpoint(path: string): Promise<MatchReport | null> {
  const checkpoint = readCheckpoint(await readWholeFile(path));
  return checkpoint && matchCheckpoint(checkpoint);
}
