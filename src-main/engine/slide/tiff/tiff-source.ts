import { AppError } from '../../../../src-shared/errors.ts';
import type { SlideInfo, SlideLevel } from '../../../../src-shared/model/slide.ts';
import { encodePng } from '../../codec/png.ts';
import { missingTile } from '../missing-tile.ts';
import type { EncodedImage, RegionRequest, RgbImage, SlideSource } from '../slide-source.ts';
import { TiledLevels } from '../tiled-levels.ts';
import { ChunkReader } from './chunk-reader.ts';
import type { TiffLevel } from './level.ts';
import { assemblePage } from './page-image.ts';
import { TAG } from './tags.ts';
import type { TiffFile } from './tiff-file.ts';
import type { TiffPage } from './tiff-page.ts';

/** What a vendor's reading of the directories found: which pages are levels, which are associated images. */
export interface TiffSlideLayout {
  readonly vendor: string;
  /** Finest first. */
  readonly levels: readonly TiffLevel[];
  readonly associated: ReadonlyMap<string, TiffPage>;
  /** Associated images that the vendor keeps outside the directories, as encoded bytes. */
  readonly embedded?: ReadonlyMap<string, EmbeddedImage>;
  readonly mpp: { readonly xUm: number; readonly yUm: number } | null;
  readonly objective: number | null;
  readonly warnings: readonly string[];
  /** True where the vendor leaves out tiles of plain glass: then they are white, else they are missing. */
  readonly sparse?: true;
}

/** A JPEG inside another tag. */
export interface EmbeddedImage {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly bytes: Uint8Array;
}

/** A slide in a TIFF container: levels are tiled directories. */
export class TiffSource implements SlideSource {
  readonly path: string;
  readonly info: SlideInfo;
  readonly #file: TiffFile;
  readonly #layout: TiffSlideLayout;
  readonly #tiled: TiledLevels;

  constructor(path: string, file: TiffFile, layout: TiffSlideLayout) {
    this.path = path;
    this.#file = file;
    this.#layout = layout;
    this.info = slideInfo(layout);
    this.#tiled = new TiledLevels(this.info.levels, (level, column, row) => this.#load(level, column, row));
  }

  async encodedTile(level: number, column: number, row: number): Promise<EncodedImage | null> {
    this.#tiled.checkTile(level, column, row);
    const bytes = await this.#level(level).jpeg(column, row);
    return bytes === null ? null : { mediaType: 'image/jpeg', bytes };
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
    const embedded = this.#layout.embedded?.get(name);
    if (embedded !== undefined) return { mediaType: 'image/jpeg', bytes: embedded.bytes };
    const page = this.#layout.associated.get(name);
    if (page === undefined) throw new AppError('NotFound', `This slide has no image named "${name}".`);
    const image = await assemblePage(new ChunkReader(this.#file.source, page));
    return { mediaType: 'image/png', bytes: await encodePng(image) };
  }

  async iccProfile(): Promise<Uint8Array | null> {
    return this.#level(0).page.ifd.bytes(TAG.iccProfile);
  }

  async close(): Promise<void> {
    this.#tiled.clear();
    await this.#file.source.close();
  }

  #level(level: number): TiffLevel {
    this.#tiled.level(level);
    return this.#layout.levels[level] as TiffLevel;
  }

  async #load(level: number, column: number, row: number): Promise<RgbImage> {
    const tile = await this.#level(level).rgb(column, row);
    if (tile !== null) return tile;
    const { tileWidthPx: widthPx, tileHeightPx: heightPx } = this.#level(level);
    if (this.#layout.sparse !== true) return missingTile(widthPx, heightPx);
    return { widthPx, heightPx, data: new Uint8Array(widthPx * heightPx * 3).fill(255) };
  }
}

function slideInfo(layout: TiffSlideLayout): SlideInfo {
  const finest = layout.levels[0] as TiffLevel;
  return {
    widthPx: finest.widthPx,
    heightPx: finest.heightPx,
    levels: layout.levels.map((level) => slideLevel(level, finest)),
    mpp: layout.mpp === null ? null : { ...layout.mpp, source: 'file' },
    objective: layout.objective,
    vendor: layout.vendor,
    reader: 'tiff',
    compression: finest.compression,
    associated: [...layout.associated, ...(layout.embedded ?? [])].map(([name, page]) => ({
      name,
      widthPx: page.widthPx,
      heightPx: page.heightPx,
    })),
    hasIccProfile: finest.page.ifd.has(TAG.iccProfile),
    warnings: layout.warnings,
  };
}

function slideLevel(level: TiffLevel, finest: TiffLevel): SlideLevel {
  return {
    widthPx: level.widthPx,
    heightPx: level.heightPx,
    downsample: (finest.widthPx / level.widthPx + finest.heightPx / level.heightPx) / 2,
    tileWidthPx: level.tileWidthPx,
    tileHeightPx: level.tileHeightPx,
    columns: level.columns,
    rows: level.rows,
  };
}
