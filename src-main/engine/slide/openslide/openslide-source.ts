import { AppError } from '../../../../src-shared/errors.ts';
import type { SlideInfo, SlideLevel } from '../../../../src-shared/model/slide.ts';
import { encodePng } from '../../codec/png.ts';
import { notASlide, slideDamaged } from '../slide-errors.ts';
import type { EncodedImage, RegionRequest, RgbImage, SlideSource } from '../slide-source.ts';
import { TiledLevels } from '../tiled-levels.ts';
import type { OpenSlideHandle, OpenSlideLibrary } from './library.ts';
import { type NdpiFacts, ndpiWarnings, readNdpi } from './ndpi.ts';

const TILE_PX = 256;

/** A stored level with the number OpenSlide knows it by. */
interface OpenSlideLevel {
  readonly number: number;
  readonly downsample: number;
  readonly level: SlideLevel;
}

/** What was found out about a slide on opening. */
interface OpenSlideFacts {
  readonly levels: readonly OpenSlideLevel[];
  readonly iccProfile: Uint8Array | null;
  readonly warnings: readonly string[];
}

/**
 * Opens a slide through the installed OpenSlide. Throws NotASlide where OpenSlide knows no such format,
 * SlideDamaged where it does but cannot read the file.
 */
export async function openThroughOpenSlide(path: string, library: OpenSlideLibrary): Promise<SlideSource> {
  const vendor = await library.detectVendor(path);
  if (vendor === null) throw notASlide('unknown to OpenSlide');
  const handle = await library.open(path);
  if (handle === null) throw slideDamaged('OpenSlide does not open it');
  const problem = library.error(handle);
  if (problem !== null) {
    await library.close(handle);
    throw slideDamaged(`OpenSlide: ${problem}`);
  }
  const all = levelsOf(library, handle);
  const ndpi = vendor === 'hamamatsu' ? await readNdpi(path) : null;
  const levels = ndpi === null ? all : storedLevels(ndpi, all);
  const iccProfile = (await library.iccProfile?.(handle)) ?? ndpi?.iccProfile ?? null;
  const warnings = [
    ...(ndpi === null ? [] : ndpiWarnings(ndpi)),
    ...derivedWarning(all.length - levels.length),
    ...(library.iccProfile === undefined && ndpi === null ? [profileUnknown(library.version)] : []),
  ];
  return new OpenSlideSource(path, vendor, library, handle, { levels, iccProfile, warnings });
}

class OpenSlideSource implements SlideSource {
  readonly path: string;
  readonly info: SlideInfo;
  readonly #library: OpenSlideLibrary;
  readonly #levels: readonly OpenSlideLevel[];
  readonly #tiled: TiledLevels;
  readonly #iccProfile: Uint8Array | null;
  readonly #running = new Set<Promise<unknown>>();
  #handle: OpenSlideHandle | null;

  constructor(path: string, vendor: string, library: OpenSlideLibrary, handle: OpenSlideHandle, facts: OpenSlideFacts) {
    this.path = path;
    this.#library = library;
    this.#handle = handle;
    this.#levels = facts.levels;
    this.#iccProfile = facts.iccProfile;
    this.info = slideInfo(library, handle, vendor, facts);
    this.#tiled = new TiledLevels(this.info.levels, (level, column, row) => this.#tile(level, column, row));
  }

  async encodedTile(level: number, column: number, row: number): Promise<EncodedImage | null> {
    this.#tiled.checkTile(level, column, row);
    return null;
  }

  readTile(level: number, column: number, row: number): Promise<RgbImage> {
    return this.#tiled.tile(level, column, row);
  }

  readLevelRegion(level: number, xPx: number, yPx: number, widthPx: number, heightPx: number): Promise<RgbImage> {
    return this.#tiled.readLevelRegion(level, xPx, yPx, widthPx, heightPx);
  }

  readRegion(request: RegionRequest, signal?: AbortSignal): Promise<RgbImage> {
    return this.#tiled.readRegion(request, signal);
  }

  async associated(name: string): Promise<EncodedImage> {
    const size = this.info.associated.find((image) => image.name === name);
    if (size === undefined) throw new AppError('NotFound', `This slide has no image named "${name}".`);
    const { widthPx, heightPx } = size;
    const pixels = await this.#run((handle) => this.#library.readAssociated(handle, name, widthPx, heightPx));
    return { mediaType: 'image/png', bytes: await encodePng({ widthPx, heightPx, data: onWhite(pixels) }) };
  }

  async iccProfile(): Promise<Uint8Array | null> {
    return this.#iccProfile;
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = null;
    this.#tiled.clear();
    await Promise.allSettled(this.#running);
    if (handle !== null) await this.#library.close(handle);
  }

  async #tile(level: number, column: number, row: number): Promise<RgbImage> {
    const { number, downsample } = this.#levels[level] as OpenSlideLevel;
    const x0Px = Math.round(column * TILE_PX * downsample);
    const y0Px = Math.round(row * TILE_PX * downsample);
    const pixels = await this.#run((handle) => this.#library.readRegion(handle, x0Px, y0Px, number, TILE_PX, TILE_PX));
    return { widthPx: TILE_PX, heightPx: TILE_PX, data: onWhite(pixels) };
  }

  /** Runs a native call that `close` waits for. After an error OpenSlide answers every call with it. */
  async #run<T>(call: (handle: OpenSlideHandle) => Promise<T>): Promise<T> {
    const handle = this.#handle;
    if (handle === null) throw slideDamaged('the slide is closed');
    const running = call(handle);
    this.#running.add(running);
    try {
      const result = await running;
      const problem = this.#library.error(handle);
      if (problem !== null) throw slideDamaged(`OpenSlide: ${problem}`);
      return result;
    } finally {
      this.#running.delete(running);
    }
  }
}

function levelsOf(library: OpenSlideLibrary, handle: OpenSlideHandle): readonly OpenSlideLevel[] {
  return Array.from({ length: library.levelCount(handle) }, (_, number) => {
    const { widthPx, heightPx } = library.levelSize(handle, number);
    const downsample = library.levelDownsample(handle, number);
    const level = {
      widthPx,
      heightPx,
      downsample,
      tileWidthPx: TILE_PX,
      tileHeightPx: TILE_PX,
      columns: Math.ceil(widthPx / TILE_PX),
      rows: Math.ceil(heightPx / TILE_PX),
    };
    return { number, downsample, level };
  });
}

/** NDPI: OpenSlide halves the stored levels further by JPEG scaling; only sizes that a directory has are stored. */
function storedLevels({ sizes }: NdpiFacts, all: readonly OpenSlideLevel[]): readonly OpenSlideLevel[] {
  const stored = all.filter(({ level }) => sizes.has(`${level.widthPx}x${level.heightPx}`));
  return stored.length > 0 ? stored : all;
}

function derivedWarning(count: number): readonly string[] {
  if (count === 0) return [];
  return [`OpenSlide offers ${count} further levels that are not stored in the file; they are left out.`];
}

function profileUnknown(version: string): string {
  return `OpenSlide ${version} does not hand out colour profiles; whether the file has one is unknown.`;
}

function slideInfo(
  library: OpenSlideLibrary,
  handle: OpenSlideHandle,
  vendor: string,
  { levels, iccProfile, warnings }: OpenSlideFacts,
): SlideInfo {
  const finest = (levels[0] as OpenSlideLevel).level;
  const number = (name: string): number | null => {
    const value = Number.parseFloat(library.property(handle, name) ?? '');
    return value > 0 ? value : null;
  };
  const xUm = number('openslide.mpp-x');
  const yUm = number('openslide.mpp-y');
  return {
    widthPx: finest.widthPx,
    heightPx: finest.heightPx,
    levels: levels.map(({ level }) => level),
    mpp: xUm === null || yUm === null ? null : { xUm, yUm, source: 'file' },
    objective: number('openslide.objective-power'),
    vendor,
    reader: `openslide ${library.version}`,
    compression: 'openslide',
    associated: library.associatedNames(handle).map((name) => ({ name, ...library.associatedSize(handle, name) })),
    hasIccProfile: iccProfile !== null,
    warnings,
  };
}

/** Premultiplied BGRA over white, as RGB. */
export function onWhite(bgra: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((bgra.length / 4) * 3);
  for (let from = 0, to = 0; from < bgra.length; from += 4, to += 3) {
    const white = 255 - (bgra[from + 3] as number);
    rgb[to] = (bgra[from + 2] as number) + white;
    rgb[to + 1] = (bgra[from + 1] as number) + white;
    rgb[to + 2] = (bgra[from] as number) + white;
  }
  return rgb;
}
