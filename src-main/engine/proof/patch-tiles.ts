import { AppError } from '../../../src-shared/errors.ts';
import { RandomStream } from '../backbone/random-stream.ts';
import type { PatchImage } from '../compare/patch-task.ts';
import { splitTiles, type TilePart } from './make-bags.ts';

/** Two classes of a patch data set: which images take part, and in which part they are. */
export interface PatchSplit {
  readonly images: readonly PatchImage[];
  readonly train: TilePart;
  readonly test: TilePart;
}

export interface PatchSplitOptions {
  readonly positive: string;
  readonly negative: string;
  /**
   * `own`: the data set's own parts, which may come from other slides. `anew`: the tiles of both parts dealt out again at random
   * in the same proportion; tiles of one slide are then on both sides, which is optimistic.
   */
  readonly parts: 'own' | 'anew';
  /** Seed of the dealing. */
  readonly seed: number;
}

/** Fewer tiles of a kind in a part than this make no bags worth the name. */
const MIN_TILES = 20;

/** @throws AppError InvalidRequest for an unknown class, too few images, or a data set without parts of its own. */
export function splitPatches(all: readonly PatchImage[], options: PatchSplitOptions): PatchSplit {
  const { positive, negative, parts, seed } = options;
  const known = [...new Set(all.map(({ label }) => label))].sort();
  for (const name of [positive, negative]) {
    if (known.includes(name)) continue;
    throw new AppError('InvalidRequest', `The data set has no class ${name}.`, {
      advice: `It has ${known.join(', ')}.`,
    });
  }
  if (positive === negative) throw new AppError('InvalidRequest', 'The two classes must differ.');
  const images = all.filter(({ label }) => label === positive || label === negative);
  const rows = (part: PatchImage['part'], label: string): number[] =>
    images.flatMap((image, i) => (image.part === part && image.label === label ? [i] : []));
  const own = (part: PatchImage['part']): TilePart => ({
    positive: rows(part, positive),
    negative: rows(part, negative),
  });
  const [train, test] = [own('train'), own('test')];
  const sizes = [train, test].flatMap((part) => [part.positive.length, part.negative.length]);
  if (Math.min(...sizes) < MIN_TILES) {
    throw new AppError('InvalidRequest', 'The data set has too few images of the two classes in one of its parts.', {
      advice: `Each class needs ${MIN_TILES} images in train/ and in val/ (or the column split of its table).`,
    });
  }
  if (parts === 'own') return { images, train, test };
  const pooled: TilePart = {
    positive: [...train.positive, ...test.positive],
    negative: [...train.negative, ...test.negative],
  };
  const share = (test.positive.length + test.negative.length) / images.length;
  const [dealt, held] = splitTiles(pooled, share, new RandomStream(seed, 'tiles dealt anew'));
  return { images, train: dealt, test: held };
}
