import { AppError } from '../../../src-shared/errors.ts';
import type { InputSpec } from '../../../src-shared/model/backbone.ts';
import { asId, type SlideId } from '../../../src-shared/model/ids.ts';
import { DEFAULT_GRID, DEFAULT_TISSUE } from '../../../src-shared/model/run.ts';
import { seededRandom, shuffledIndices } from '../../../src-shared/numeric/random.ts';
import { tileRef } from '../grid/laid-grid.ts';
import { layGrid } from '../grid/lay-grid.ts';
import { seenRegion } from '../infer/fit-input.ts';
import { openSlideSource } from '../slide/open-slide.ts';
import { computeTissueMask } from '../tissue/tissue-mask.ts';

/** Tiles of one slide, drawn from its tissue: the same for every backbone. */
export interface SlideTiles {
  readonly name: string;
  readonly count: number;
  /** Tile i as a network of this input sees it: interleaved 8-bit RGB. */
  read(tile: number, input: InputSpec): Promise<Uint8Array>;
  close(): Promise<void>;
}

/**
 * At most `most` tiles of a slide's tissue, on the default grid.
 *
 * @param mppUm where the file does not state its pixel size; null = unknown.
 * @throws AppError MppUnknown, InvalidRequest where too few tiles hold tissue, and what opening a slide throws.
 */
export async function drawSlideTiles(
  path: string,
  name: string,
  mppUm: number | null,
  most: number,
  signal?: AbortSignal,
): Promise<SlideTiles> {
  const source = await openSlideSource(path);
  try {
    const { mpp } = source.info;
    const inForce = mpp === null ? mppUm : (mpp.xUm + mpp.yUm) / 2;
    if (inForce === null) {
      throw new AppError('MppUnknown', `${name} does not state its pixel size.`, {
        advice: 'Give it in micrometres per pixel with --slide-mpp.',
      });
    }
    const mask = await computeTissueMask(source, inForce, DEFAULT_TISSUE, signal);
    const laid = layGrid({
      ...{ slideId: asId<SlideId>(name), info: source.info, mppUm: inForce, mask },
      ...{ spec: DEFAULT_GRID, tissue: DEFAULT_TISSUE },
    });
    const order = [...shuffledIndices(laid.grid.tileCount, seededRandom(1))].slice(0, most).sort((a, b) => a - b);
    if (order.length < MIN_TILES) {
      throw new AppError('InvalidRequest', `${name} has ${order.length} tiles of tissue; ${MIN_TILES} are needed.`, {
        advice: 'Choose a slide with more tissue.',
      });
    }
    return {
      name,
      count: order.length,
      read: async (tile, input) => {
        const region = seenRegion(tileRef(laid, order[tile] ?? 0), input);
        const out = { outWidthPx: input.widthPx, outHeightPx: input.heightPx };
        return (await source.readRegion({ ...region, ...out })).data;
      },
      close: () => source.close(),
    };
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** Below this a rank correlation says nothing. */
const MIN_TILES = 10;
