import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../../src-shared/errors.ts';
import type { BackboneCard, CutPoint } from '../../../src-shared/model/backbone.ts';
import { findCut } from '../backbone/registry.ts';
import type { InferenceWorker } from '../infer/inference-worker.ts';

/** A backbone in a comparison, with the cuts it is judged at (input side first). */
export interface CompareBackbone {
  readonly card: BackboneCard;
  readonly modelPath: string;
  readonly cuts: readonly CutPoint[];
}

/** Cuts taken of a backbone when none are named. */
const CUTS_BY_DEFAULT = 4;

/**
 * The cuts named after `@`, joined by `+`: `all`, names, or nothing for up to four spread evenly over the depth, the
 * last being the card's default cut. Cuts without parameters before them are left out: they see the input only.
 *
 * @throws AppError NotFound for an unknown cut.
 */
export function chooseCuts(card: BackboneCard, named: string | null): readonly CutPoint[] {
  const learnt = card.cuts.filter(({ cumulativeParameters }) => cumulativeParameters > 0);
  if (named === 'all') return learnt;
  if (named !== null && named !== '') {
    const wanted = named.split('+').map((name) => findCut(card, name === 'last' ? null : name));
    return card.cuts.filter((cut) => wanted.includes(cut));
  }
  const last = findCut(card, null);
  const before = learnt.filter(
    ({ name, cumulativeFlops }) => name !== last.name && cumulativeFlops <= last.cumulativeFlops,
  );
  if (before.length < CUTS_BY_DEFAULT) return [...before, last];
  const spread = Array.from({ length: Math.min(CUTS_BY_DEFAULT - 1, before.length) }, (_, i, all = before.length) => {
    return before[Math.round(((i + 1) * all) / CUTS_BY_DEFAULT) - 1] ?? last;
  });
  return [...new Set([...spread, last])];
}

/**
 * Random twins of a backbone, one per seed, written into a folder of their own.
 *
 * @throws AppError DiskFull, BackboneUnreadable.
 */
export async function randomTwinsOf(
  { card, modelPath, cuts }: CompareBackbone,
  twinSeeds: readonly number[],
  folder: string,
  worker: InferenceWorker,
): Promise<readonly CompareBackbone[]> {
  await mkdir(folder, { recursive: true });
  const twins: CompareBackbone[] = [];
  for (const seed of twinSeeds) {
    const path = join(folder, `${card.id.slice(0, 16)}-random-${seed}.onnx`);
    const twin = await worker.call('makeRandom', { of: { modelPath, card }, seed, path });
    twins.push({ card: twin, modelPath: path, cuts });
  }
  return twins;
}

/** Refuses what cannot be told apart in a table. @throws AppError InvalidRequest. */
export function checkContenders(backbones: readonly CompareBackbone[]): void {
  const names = backbones.map(({ card }) => card.name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice === undefined && backbones.length > 0) return;
  throw new AppError(
    'InvalidRequest',
    twice === undefined ? 'There is no backbone to compare.' : `Two backbones are called ${twice}.`,
    { advice: twice === undefined ? 'Name at least one.' : 'Rename one of them.' },
  );
}

/** Digits of a hash that name a backbone. */
const HASH_DIGITS = 12;

/** The backbone among `others` that a card's weights were fine-tuned from; null where it was not, or of none of them. */
export function fineTunedFrom(card: BackboneCard, others: readonly BackboneCard[]): BackboneCard | null {
  const from = card.tuned?.from ?? card.fineTunedFrom;
  if (from === undefined) return null;
  const isHash = from.length >= HASH_DIGITS && /^[0-9a-f]+$/.test(from);
  const found = others.filter(({ id, name }) => id !== card.id && (name === from || (isHash && id.startsWith(from))));
  return found.find(({ architecture }) => architecture === card.architecture) ?? null;
}
