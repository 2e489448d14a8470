import { AppError } from '../../../src-shared/errors.ts';
import type { HeadSpec } from './head-spec.ts';

/** A slide's tiles as the head sees them. */
export interface Bag {
  /** tiles x featureDim, row-major. */
  readonly features: Float32Array;
  /** Index of the slide's class. */
  readonly label: number;
  /** Number of the patient whose slide it is; a patient of its own where left out. */
  readonly patient?: number;
}

/** Gives bags one at a time, so that an archive need not fit into memory. */
export interface BagSet {
  readonly count: number;
  get(index: number): Promise<Bag>;
}

/** The same bags, of which the first that fit into so many bytes are fetched once. */
export function rememberedBags(bags: BagSet, bytes: number): BagSet {
  const known = new Map<number, Bag>();
  let left = bytes;
  return {
    count: bags.count,
    get: async (index) => {
      const remembered = known.get(index);
      if (remembered !== undefined) return remembered;
      const bag = await bags.get(index);
      if (bag.features.byteLength <= left) {
        left -= bag.features.byteLength;
        known.set(index, bag);
      }
      return bag;
    },
  };
}

/** The bag, if it may be trained on. @throws AppError InvalidRequest. */
export function checkedBag(bag: Bag, { featureDim, classes }: HeadSpec): Bag {
  const tiles = bag.features.length / featureDim;
  if (tiles === 0) throw new AppError('InvalidRequest', 'A slide of this study has no tiles.');
  if (!Number.isInteger(tiles)) throw new AppError('InvalidRequest', 'The features of a slide have another length.');
  if (!(bag.label >= 0 && bag.label < classes)) throw new AppError('InvalidRequest', 'A slide has an unknown label.');
  if (!allFinite(bag.features)) {
    throw new AppError('InvalidRequest', 'The features of a slide hold values that are not numbers.', {
      advice: 'Extract them again; the weights of the backbone may be damaged.',
    });
  }
  return bag;
}

/** Written as a loop: it runs over every bag of every step. */
function allFinite(values: Float32Array): boolean {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return false;
  return true;
}
