import type { BackboneCard, CutPoint } from '../../../src-shared/model/backbone.ts';
import { type ChunkSink, extractPass, type PassRequest } from './extract-pass.ts';

export { chunkTiles, type RegionDecoder } from './extract-pass.ts';

export interface ExtractRequest extends Omit<PassRequest, 'backbones'> {
  /** Path of the backbone's ONNX file. */
  readonly modelPath: string;
  readonly card: BackboneCard;
  readonly cut: CutPoint;
  /** Where to begin: 0, or the first tile of the first chunk that is not stored yet. */
  readonly firstTile: number;
  readonly onChunk: ChunkSink;
}

/** Computes the features of a slide's tiles at one cut of one backbone; see `extractPass`, also for what it throws. */
export async function extractFeatures(request: ExtractRequest): Promise<void> {
  const { modelPath, card, cut, firstTile, onChunk, ...pass } = request;
  await extractPass({ ...pass, backbones: [{ modelPath, card, cuts: [{ cut, firstTile, onChunk }] }] });
}
