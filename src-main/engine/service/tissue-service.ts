import { AppError } from '../../../src-shared/errors.ts';
import type { SlideId } from '../../../src-shared/model/ids.ts';
import type { GridSpec, TissueParams } from '../../../src-shared/model/run.ts';
import type { LaidGrid } from '../grid/laid-grid.ts';
import { layGrid } from '../grid/lay-grid.ts';
import { measureAppearance } from '../tissue/slide-appearance.ts';
import { computeTissueMask, type TissueMask } from '../tissue/tissue-mask.ts';
import { pixelSizeInForce, type SlideLibrary } from './slide-library.ts';

/** Masks kept in memory: a slider that is dragged back finds its mask again. */
const MAX_MASKS = 16;
/** Appearances kept in memory: a score of numbers a slide. */
const MAX_APPEARANCES = 2000;

/** Tissue masks and grids of the library's slides, each mask computed once. */
export class TissueService {
  readonly #library: SlideLibrary;
  readonly #masks = new Map<string, Promise<TissueMask>>();
  readonly #appearances = new Map<string, Promise<Float64Array>>();

  constructor(library: SlideLibrary) {
    this.#library = library;
  }

  /** Throws MppUnknown, NotFound, SlideMoved, or what the reader says. */
  async mask(id: SlideId, params: TissueParams): Promise<TissueMask> {
    const mppUm = await this.mppUm(id);
    const key = JSON.stringify([id, mppUm, params]);
    const known = this.#masks.get(key);
    if (known !== undefined) return await known;
    const computing = this.#library.source(id).then((source) => computeTissueMask(source, mppUm, params));
    this.#masks.set(key, computing);
    computing.catch(() => this.#masks.delete(key));
    for (const oldest of [...this.#masks.keys()].slice(0, Math.max(0, this.#masks.size - MAX_MASKS))) {
      this.#masks.delete(oldest);
    }
    return await computing;
  }

  /** What the pixels of a slide's tissue look like, see `measureAppearance`. Throws as `mask`. */
  async appearance(id: SlideId, params: TissueParams): Promise<Float64Array> {
    const key = JSON.stringify([id, await this.mppUm(id), params]);
    const known = this.#appearances.get(key);
    if (known !== undefined) return await known;
    const measuring = this.mask(id, params).then(async (mask) =>
      measureAppearance(await this.#library.source(id), mask),
    );
    this.#appearances.set(key, measuring);
    measuring.catch(() => this.#appearances.delete(key));
    for (const oldest of [...this.#appearances.keys()].slice(
      0,
      Math.max(0, this.#appearances.size - MAX_APPEARANCES),
    )) {
      this.#appearances.delete(oldest);
    }
    return await measuring;
  }

  /** The grid of a slide with its kept tiles; may hold none. Throws as `mask`, and InvalidRequest for the numbers. */
  async layGrid(id: SlideId, tissue: TissueParams, spec: GridSpec): Promise<LaidGrid> {
    const mppUm = await this.mppUm(id);
    const { info } = await this.#library.record(id);
    const mask = await this.mask(id, tissue);
    return layGrid({ slideId: id, info, mppUm, spec, tissue, mask });
  }

  /** Level-0 pixel size in force, width and height averaged, µm. Throws MppUnknown. */
  async mppUm(id: SlideId): Promise<number> {
    const mpp = pixelSizeInForce(await this.#library.record(id));
    if (mpp === null) {
      throw new AppError('MppUnknown', 'This slide does not say how large its pixels are.', {
        advice:
          'Give the pixel size in micrometres (a 40x scan is about 0.25, a 20x scan about 0.5); it is remembered.',
      });
    }
    return (mpp.xUm + mpp.yUm) / 2;
  }
}
