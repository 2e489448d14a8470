import { AppError } from '../../../../src-shared/errors.ts';
import type { SlideInfo, SlideLevel } from '../../../../src-shared/model/slide.ts';
import { encodePng } from '../../codec/png.ts';
import type { EncodedImage, RegionRequest, RgbImage, SlideSource } from '../slide-source.ts';
import { TiledLevels } from '../tiled-levels.ts';
import { ChunkReader } from './chunk-reader.ts';
import { assemblePage } from './page-image.ts';
import { COMPRESSION, compressionName, TAG } from './tags.ts';
import type { TiffFile } from './tiff-file.ts';
import type { TiffPage } from './tiff-page.ts';

/** What a vendor's reading of the directories found: which pages are levels, which are associated images. */
export interface TiffSlideLayout {
  readonly vendor: string;
  readonly levels: readonly TiffPage[];
  readonly associated: ReadonlyMap<string, TiffPage>;
  readonly mpp: { readonly xUm: number; readonly yUm: number } | null;
  readonly objective: number | null;
  readonly warnings: readonly string[];
}

/** A slide in a TIFF container: levels are tiled directories. */
export class TiffSource implements SlideSource {
  readonly path: string;
  readonly info: SlideInfo;
  readonly #file: TiffFile;
  readonly #layout: TiffSlideLayout;
  readonly #readers: readonly ChunkReader[];
  readonly #tiled: TiledLevels;

  constructor(path: string, file: TiffFile, layout: TiffSlideLayout) {
    this.path = path;
    this.#file = file;
    this.#layout = layout;
    this.#readers = layout.levels.map((page) => new ChunkReader(file.source, page));
    this.info = slideInfo(layout);
    this.#tiled = new TiledLevels(this.info.levels, (level, column, row) => this.#load(level, column, row));
  }

  async encodedTile(level: number, column: number, row: number): Promise<EncodedImage | null> {
    this.#tiled.checkTile(level, column, row);
    const reader = this.#reader(level);
    if (reader.page.compression !== COMPRESSION.jpeg) return null;
    const bytes = await reader.storedJpeg(row * reader.page.columns + column);
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
    const page = this.#layout.associated.get(name);
    if (page === undefined) throw new AppError('NotFound', `This slide has no image named "${name}".`);
    const image = await assemblePage(new ChunkReader(this.#file.source, page));
    return { mediaType: 'image/png', bytes: await encodePng(image) };
  }

  async iccProfile(): Promise<Uint8Array | null> {
    return (await this.#reader(0).page.ifd.bytes(TAG.iccProfile)) ?? null;
  }

  async close(): Promise<void> {
    this.#tiled.clear();
    await this.#file.source.close();
  }

  #reader(level: number): ChunkReader {
    this.#tiled.level(level);
    return this.#readers[level] as ChunkReader;
  }

  async #load(level: number, column: number, row: number): Promise<RgbImage> {
    const reader = this.#reader(level);
    const tile = await reader.rgb(row * reader.page.columns + column);
    if (tile !== null) return tile;
    const { chunkWidthPx: widthPx, chunkHeightPx: heightPx } = reader.page;
    return { widthPx, heightPx, data: new Uint8Array(widthPx * heightPx * 3).fill(255) };
  }
}

function slideInfo(layout: TiffSlideLayout): SlideInfo {
  const finest = layout.levels[0] as TiffPage;
  return {
    widthPx: finest.widthPx,
    heightPx: finest.heightPx,
    levels: layout.levels.map((page) => slideLevel(page, finest)),
    mpp: layout.mpp === null ? null : { ...layout.mpp, source: 'file' },
    objective: layout.objective,
    vendor: layout.vendor,
    reader: 'tiff',
    compression: compressionName(finest.compression) ?? String(finest.compression),
    associated: [...layout.associated].map(([name, page]) => ({
      name,
      widthPx: page.widthPx,
      heightPx: page.heightPx,
    })),
    hasIccProfile: finest.ifd.has(TAG.iccProfile),
    warnings: layout.warnings,
  };
}

function slideLevel(page: TiffPage, finest: TiffPage): SlideLevel {
  return {
    widthPx: page.widthPx,
    heightPx: page.heightPx,
    downsample: (finest.widthPx / page.widthPx + finest.heightPx / page.heightPx) / 2,
    tileWidthPx: page.chunkWidthPx,
    tileHeightPx: page.chunkHeightPx,
    columns: page.columns,
    rows: page.rows,
  };
}
