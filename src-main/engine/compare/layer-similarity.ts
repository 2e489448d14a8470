import type { CkaMatrix, FineTuneChange } from '../../../src-shared/model/comparison.ts';
import { seededRandom, shuffledIndices } from '../../../src-shared/numeric/random.ts';
import { type CkaLayer, ckaMatrix, fineTuneChange } from './cka-matrix.ts';
import type { Judged, ReadyRequest } from './compare-request.ts';
import { fineTunedFrom } from './contenders.ts';
import { type PartedTask, uniqueImages } from './network-scores.ts';

/** Hashes of images drawn from all tasks, the same for every backbone. */
export function ckaSample(tasks: readonly PartedTask[], most: number): readonly string[] {
  const hashes = uniqueImages(tasks).map(({ sha256 }) => sha256);
  const order = [...shuffledIndices(hashes.length, seededRandom(1))].slice(0, most);
  return order.map((i) => hashes[i] ?? '');
}

/** CKA between all cuts, and what of it says how far fine-tuning moved a backbone. */
export async function similarities(
  { bench: { worker, threads, signal, onProgress } }: ReadyRequest,
  judged: readonly Judged[],
  sample: readonly string[],
): Promise<{ cka: CkaMatrix | null; fineTuned: readonly FineTuneChange[] }> {
  const layers = judged.flatMap(({ backbone, own }) =>
    backbone.cuts.flatMap((cut, c): CkaLayer[] => {
      const samples = own.kept[c];
      return samples === undefined ? [] : [{ name: `${backbone.card.name}@${cut.name}`, samples }];
    }),
  );
  if (sample.length < 4 || layers.length < 2) return { cka: null, fineTuned: [] };
  const cka = await ckaMatrix(layers, {
    ...{ worker, threads, signal },
    onProgress: (done, total) => onProgress?.('CKA between all cuts', done, total, 'batches'),
  });
  const cards = judged.map(({ backbone }) => backbone.card);
  const fineTuned = cards.flatMap((card) => {
    const origin = fineTunedFrom(card, cards);
    return origin === null ? [] : [fineTuneChange(cka, origin.name, card.name)];
  });
  return { cka, fineTuned };
}
