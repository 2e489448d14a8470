import type { BackboneCard } from '../../../../src-shared/model/backbone.ts';
import type { TrainedOn } from '../../../../src-shared/model/study.ts';
import { makeCutModel } from '../../backbone/derive.ts';
import type { OnnxModel } from '../../graph/model.ts';
import { decodeModel, encodeModel } from '../../graph/proto.ts';
import { readModelFile } from '../../infer/model-file.ts';
import { writeWhole } from '../../infer/write-whole.ts';
import type { HeadWeights } from '../evaluate-head.ts';
import { withValues } from '../step-runner.ts';
import type { EpochRecord } from '../train-head.ts';
import { fineTune } from './fine-tune.ts';
import type { FineTuning, FineTuningHooks, PixelBagSet } from './fine-tuning.ts';
import { constantsAsInitializers } from './plain-graph.ts';

export interface FineTuneFile {
  readonly modelPath: string;
  readonly card: BackboneCard;
  readonly tuning: FineTuning;
  /** What the new backbone's card says instead of the old one's. */
  readonly described: Pick<BackboneCard, 'name' | 'origin' | 'method' | 'source' | 'trainedMpp' | 'tuned'>;
  /** What it was trained on and how, kept in the file's metadata under `hyaline.tuned`. */
  readonly record: Readonly<Record<string, unknown>>;
  /** Where the new backbone is written. */
  readonly outPath: string;
}

export interface TunedFile {
  readonly head: HeadWeights;
  readonly bestEpoch: number;
  readonly history: readonly EpochRecord[];
  /** Also kept in the new file, with the record. */
  readonly trainedOn: TrainedOn;
}

const CARD_KEY = 'hyaline.card';
const RECORD_KEY = 'hyaline.tuned';

/**
 * Fine-tunes a stored backbone up to its cut and writes it as a backbone of its own: plain ONNX with its card inside.
 * Throws as `fineTune`, and DiskFull.
 */
export async function fineTuneFile(
  { modelPath, card, tuning, described, record, outPath }: FineTuneFile,
  train: PixelBagSet,
  validation: PixelBagSet,
  hooks: FineTuningHooks = {},
): Promise<TunedFile> {
  const { encoder, head, bestEpoch, history, trainedOn } = await fineTune(
    await readModelFile(modelPath),
    tuning,
    train,
    validation,
    hooks,
  );
  const cut = constantsAsInitializers(decodeModel(await makeCutModel({ modelPath, card }, tuning.cut)));
  const tuned: OnnxModel = withValues(cut, encoder);
  const said = { ...(JSON.parse(cut.metadata[CARD_KEY] ?? '{}') as Readonly<Record<string, unknown>>), ...described };
  const metadata = {
    ...tuned.metadata,
    [CARD_KEY]: JSON.stringify(said),
    [RECORD_KEY]: JSON.stringify({ ...record, bestEpoch, history, trainedOn }),
  };
  await writeWhole(outPath, encodeModel({ ...tuned, metadata }));
  return { head, bestEpoch, history, trainedOn };
}
