import { AppError } from '../../../src-shared/errors.ts';
import type { RandomStream } from '../backbone/random-stream.ts';
import { shuffled } from '../learn/train-head.ts';

/** Tiles of a bag by their number in the data set, and whether it is positive (1: it holds positive tiles). */
export interface MadeBag {
  readonly tiles: Uint32Array;
  readonly label: number;
}

export interface BagRecipe {
  readonly bags: number;
  readonly tilesPerBag: number;
  /** Least and greatest share of positive tiles in a positive bag. */
  readonly positiveShare: readonly [number, number];
}

/** HistoTransfer's trial by bags: 120 bags of 40 tiles, 10 to 25 % of a positive bag's tiles positive. */
export const BAG_RECIPE: BagRecipe = { bags: 120, tilesPerBag: 40, positiveShare: [0.1, 0.25] };

/** Tiles of one part, by what they show. */
export interface TilePart {
  readonly positive: readonly number[];
  readonly negative: readonly number[];
}

/**
 * Bags, negative and positive in turn. A bag holds no tile twice, unless the part has fewer tiles than the bag needs; tiles
 * may come again in another bag. The same stream gives the same bags.
 *
 * @throws AppError InvalidRequest for a part without tiles of both kinds.
 */
export function makeBags(part: TilePart, recipe: BagRecipe, stream: RandomStream): readonly MadeBag[] {
  if (part.positive.length === 0 || part.negative.length === 0) {
    throw new AppError('InvalidRequest', 'Bags need tiles of both classes in every part.', {
      advice: 'Check the names of the two classes.',
    });
  }
  const { tilesPerBag, positiveShare } = recipe;
  const least = Math.max(1, Math.round(positiveShare[0] * tilesPerBag));
  const greatest = Math.max(least, Math.round(positiveShare[1] * tilesPerBag));
  return Array.from({ length: recipe.bags }, (_, i) => {
    const label = i % 2;
    const positives = label === 0 ? 0 : least + Math.floor(stream.nextUniform() * (greatest - least + 1));
    const tiles = [
      ...drawn(part.positive, positives, stream),
      ...drawn(part.negative, tilesPerBag - positives, stream),
    ];
    return { tiles: Uint32Array.from(tiles), label };
  });
}

/** Without replacement; round again where there are too few. */
function drawn(tiles: readonly number[], count: number, stream: RandomStream): number[] {
  const taken: number[] = [];
  while (taken.length < count) {
    const round = shuffled(tiles.length, stream).map((i) => tiles[i] ?? 0);
    taken.push(...round.slice(0, count - taken.length));
  }
  return taken;
}

/** Splits each kind of tile in two, so that no tile is in both. @param share of the second part. */
export function splitTiles(part: TilePart, share: number, stream: RandomStream): readonly [TilePart, TilePart] {
  const cut = (tiles: readonly number[]): readonly [number[], number[]] => {
    const order = shuffled(tiles.length, stream).map((i) => tiles[i] ?? 0);
    const held = Math.max(1, Math.round(share * tiles.length));
    return [order.slice(held), order.slice(0, held)];
  };
  const [positive, negative] = [cut(part.positive), cut(part.negative)];
  return [
    { positive: positive[0], negative: negative[0] },
    { positive: positive[1], negative: negative[1] },
  ];
}
