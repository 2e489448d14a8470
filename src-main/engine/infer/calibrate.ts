import { AppError } from '../../../src-shared/errors.ts';
import type { BackboneCard } from '../../../src-shared/model/backbone.ts';
import { withBatchStatistics, withStatistics } from '../graph/batch-statistics.ts';
import type { OnnxModel } from '../graph/model.ts';
import { encodeModel } from '../graph/proto.ts';
import { Preprocessor } from './preprocess.ts';
import type { CalibrationTiles } from './protocol.ts';
import { loadRuntime, openSession, runFailure } from './runtime.ts';

/**
 * Sets the running statistics of every BatchNorm to those of the given tiles, as one pass in training mode with
 * momentum 1 would (biased variance). A network without BatchNorm comes back as it is.
 *
 * @throws AppError InvalidRequest for a batch the network cannot take, BackboneFailed, DeviceFailed.
 */
export async function calibrateNorms(
  model: OnnxModel,
  card: BackboneCard,
  tiles: CalibrationTiles,
): Promise<OnnxModel> {
  const training = withBatchStatistics(model);
  if (training.statistics.length === 0) return model;
  if (tiles.count < 2) {
    throw new AppError('InvalidRequest', 'Calibration needs at least two tiles.', { advice: 'Choose 32 or more.' });
  }
  const { Tensor } = await loadRuntime();
  const preprocessor = new Preprocessor(card.input);
  const values = new Float32Array(tiles.count * preprocessor.valuesPerTile);
  preprocessor.fill(new Uint8Array(tiles.pixels), tiles.count, values);
  const { widthPx, heightPx, layout } = card.input;
  const size = layout === 'NCHW' ? [3, heightPx, widthPx] : [heightPx, widthPx, 3];
  const session = await openSession({ model: encodeModel(training.model), provider: 'cpu', threads: 0 });
  try {
    const feeds = { [card.inputName]: new Tensor('float32', values, [tiles.count, ...size]) };
    const results = await session.run(feeds).catch((cause: unknown) => {
      throw runFailure(cause);
    });
    return withStatistics(model, training.statistics, (output) => {
      const data = results[output]?.data;
      return data instanceof Float32Array ? data : new Float32Array();
    });
  } finally {
    await session.release();
  }
}
