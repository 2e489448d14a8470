import type { CardEdits } from '../../../src-shared/api/engine.ts';
import type { BackboneCard } from '../../../src-shared/model/backbone.ts';
import { InferenceWorker } from '../infer/inference-worker.ts';

/**
 * Describes an ONNX file without registering it. Runs on the inference thread; pass a running one to reuse it.
 *
 * @throws AppError FileUnreadable, BackboneUnreadable, BackboneShapeUnsupported, BackboneFailed.
 */
export async function inspectBackbone(
  filePath: string,
  edits: CardEdits = {},
  running?: InferenceWorker,
): Promise<BackboneCard> {
  const worker = running ?? new InferenceWorker();
  try {
    return await worker.call('inspect', { modelPath: filePath, edits, copyTo: null });
  } finally {
    if (!running) await worker.close();
  }
}
