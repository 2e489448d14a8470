import type { ByteSource } from '../byte-source.ts';
import { missingMark } from '../missing-tile.ts';
import { formatUnsupported } from '../slide-errors.ts';
import type { RgbImage } from '../slide-source.ts';
import { ChunkReader } from './chunk-reader.ts';
import { assemblePage } from './page-image.ts';
import { COMPRESSION, compressionName } from './tags.ts';
import { requireDecodable, type TiffPage } from './tiff-page.ts';

/** A level of a TIFF slide, however many directories it is made of. */
export interface TiffLevel {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly tileWidthPx: number;
  readonly tileHeightPx: number;
  readonly columns: number;
  readonly rows: number;
  readonly compression: string;
  /** The directory that stands for the level: the first, where there are several. */
  readonly page: TiffPage;
  /** The tile decoded at full tile size; null where the file has none. Throws SlideDamaged. */
  rgb(column: number, row: number): Promise<RgbImage | null>;
  /** The tile as a self-contained JPEG; null where the level is not stored as JPEG or the file has none. */
  jpeg(column: number, row: number): Promise<Uint8Array | null>;
}

/** Tile size of levels that are stored in strips and cut into tiles here. */
const CUT_TILE_PX = 256;
/** A stripped level is held in memory whole: 48 megapixels are 144 MB of RGB. */
const MAX_STRIPPED_PIXELS = 48_000_000;

/**
 * A level stored as one tiled directory, or, when it is small, in strips. `size` overrides the directory's width and
 * height where a vendor pads them. Throws SlideFormatUnsupported where nobody here decodes it.
 */
export function pageLevel(
  source: ByteSource,
  page: TiffPage,
  size: { readonly widthPx: number; readonly heightPx: number } = page,
): TiffLevel {
  requireDecodable(page);
  const reader = new ChunkReader(source, page);
  return page.tiled ? new TiledPageLevel(reader, size) : new StrippedPageLevel(reader);
}

class TiledPageLevel implements TiffLevel {
  readonly page: TiffPage;
  readonly widthPx: number;
  readonly heightPx: number;
  readonly #reader: ChunkReader;

  constructor(reader: ChunkReader, size: { readonly widthPx: number; readonly heightPx: number }) {
    this.#reader = reader;
    this.page = reader.page;
    this.widthPx = Math.min(size.widthPx, reader.page.widthPx);
    this.heightPx = Math.min(size.heightPx, reader.page.heightPx);
  }

  get tileWidthPx(): number {
    return this.page.chunkWidthPx;
  }

  get tileHeightPx(): number {
    return this.page.chunkHeightPx;
  }

  get columns(): number {
    return Math.ceil(this.widthPx / this.page.chunkWidthPx);
  }

  get rows(): number {
    return Math.ceil(this.heightPx / this.page.chunkHeightPx);
  }

  get compression(): string {
    return compressionName(this.page.compression) ?? String(this.page.compression);
  }

  rgb(column: number, row: number): Promise<RgbImage | null> {
    return this.#reader.rgb(row * this.page.columns + column);
  }

  async jpeg(column: number, row: number): Promise<Uint8Array | null> {
    if (this.page.compression !== COMPRESSION.jpeg) return null;
    return this.#reader.storedJpeg(row * this.page.columns + column);
  }
}

class StrippedPageLevel implements TiffLevel {
  readonly page: TiffPage;
  readonly widthPx: number;
  readonly heightPx: number;
  readonly tileWidthPx = CUT_TILE_PX;
  readonly tileHeightPx = CUT_TILE_PX;
  readonly columns: number;
  readonly rows: number;
  readonly compression: string;
  readonly #reader: ChunkReader;
  #whole: Promise<RgbImage> | null = null;

  constructor(reader: ChunkReader) {
    const { page } = reader;
    checkStripped(page);
    this.#reader = reader;
    this.page = page;
    this.widthPx = page.widthPx;
    this.heightPx = page.heightPx;
    this.columns = Math.ceil(page.widthPx / CUT_TILE_PX);
    this.rows = Math.ceil(page.heightPx / CUT_TILE_PX);
    this.compression = compressionName(page.compression) ?? String(page.compression);
  }

  async rgb(column: number, row: number): Promise<RgbImage> {
    this.#whole ??= assemblePage(this.#reader);
    return cutTile(await this.#whole, column, row);
  }

  async jpeg(): Promise<null> {
    return null;
  }
}

/** Throws SlideFormatUnsupported where a level in strips is too large to be held in memory. */
export function checkStripped(page: TiffPage): void {
  if (page.widthPx * page.heightPx > MAX_STRIPPED_PIXELS) {
    throw formatUnsupported('strips instead of tiles, and is too large for that');
  }
}

/** A tile of an image in memory, white where the image ends. */
export function cutTile(image: RgbImage, column: number, row: number, sidePx = CUT_TILE_PX): RgbImage {
  const data = new Uint8Array(sidePx * sidePx * 3).fill(255);
  const x = column * sidePx;
  const length = (Math.min(image.widthPx, x + sidePx) - x) * 3;
  for (let line = 0; line < Math.min(sidePx, image.heightPx - row * sidePx); line++) {
    const start = ((row * sidePx + line) * image.widthPx + x) * 3;
    data.set(image.data.subarray(start, start + length), line * sidePx * 3);
  }
  return { widthPx: sidePx, heightPx: sidePx, data, ...missingMark(image.missing === true) };
}
