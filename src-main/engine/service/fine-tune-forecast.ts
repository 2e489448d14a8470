import { hasCode } from '../../../src-shared/errors.ts';
import type { FineTuneForecast, FineTuneRequest } from '../../../src-shared/model/fine-tune.ts';
import type { SlideId } from '../../../src-shared/model/ids.ts';
import type { StudySplit } from '../../../src-shared/model/study.ts';
import { measureMsPerImage } from '../compare/patch-features.ts';
import { deviceLabel } from '../infer/device.ts';
import type { InferenceWorker } from '../infer/inference-worker.ts';
import type { ProviderName } from '../infer/protocol.ts';
import type { UsableBackbone } from './backbones.ts';
import { freezableCuts, frozenCut, tilesAtOnce } from './fine-tune-plan.ts';

export interface ForecastParts {
  readonly request: FineTuneRequest;
  readonly split: StudySplit;
  readonly backbone: UsableBackbone;
  /** Tiles of a slide. */
  readonly tilesOf: (slideId: SlideId) => Promise<number>;
  readonly worker: InferenceWorker;
  readonly threads: number;
  /** What training would try first: it agrees with the CPU on this backbone. */
  readonly provider: ProviderName;
  /** True while jobs run: what is measured then says nothing. */
  readonly busy: boolean;
}

/**
 * What a fine-tuning takes. A tile costs one pass forward and, through what is trained, twice as much back; bags that go
 * through in parts are computed forward twice (see `TiledStep`). Throws as `frozenCut`, and BackboneFailed.
 */
export async function forecastOf(parts: ForecastParts): Promise<FineTuneForecast> {
  const { request, split, backbone, tilesOf, busy } = parts;
  const { card, cut } = backbone;
  const frozen = frozenCut(backbone, request.frozenUpTo);
  const most = request.tilesPerStep ?? request.tiles;
  const tiles = async (ids: readonly SlideId[], limit: number): Promise<number[]> => {
    const counts: number[] = [];
    for (const id of ids) counts.push(Math.min(limit, await tilesOf(id)));
    return counts;
  };
  const train = await tiles(split.train, most);
  const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);
  const trained = 1 - (frozen?.cumulativeFlops ?? 0) / Math.max(1, cut.cumulativeFlops);
  const atOnce = tilesAtOnce(card);
  const passes = train.map((count) => count * ((count > atOnce ? 2 : 1) + 2 * trained));
  const judged = sum(await tiles(split.validation, request.tiles));
  const { msPerTile, provider } = busy ? { ...parts, msPerTile: null } : await measured(parts);
  return {
    trainSlides: split.train.length,
    validationSlides: split.validation.length,
    testSlides: split.test.length,
    freezable: freezableCuts(backbone).map(({ name }) => name),
    trainedParameters: cut.cumulativeParameters - (frozen?.cumulativeParameters ?? 0),
    parameters: cut.cumulativeParameters,
    tilesPerEpoch: sum(train),
    seconds: msPerTile === null ? null : (request.epochs * (sum(passes) + judged) * msPerTile) / 1000,
    device: deviceLabel(provider),
  };
}

/** Time of a tile on the device, and on the CPU where it fails. */
async function measured({ backbone, worker, threads, provider }: ForecastParts) {
  const { card, cut, modelPath } = backbone;
  try {
    return { msPerTile: await measureMsPerImage(worker, modelPath, card, cut, threads, provider), provider };
  } catch (error) {
    if (provider === 'cpu' || !hasCode(error, 'DeviceFailed')) throw error;
    return { msPerTile: await measureMsPerImage(worker, modelPath, card, cut, threads), provider: 'cpu' as const };
  }
}
