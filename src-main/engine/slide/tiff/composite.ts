import type { ByteSource } from '../byte-source.ts';
import { formatUnsupported, slideDamaged } from '../slide-errors.ts';
import type { RgbImage } from '../slide-source.ts';
import { ChunkReader } from './chunk-reader.ts';
import { checkStripped, type TiffLevel } from './level.ts';
import { compressionName } from './tags.ts';
import { isRawSamples, type TiffPage } from './tiff-page.ts';

/** A fluorescence channel: its colour and the value that is shown at full brightness. */
export interface Channel {
  readonly name: string;
  readonly rgb: readonly [number, number, number];
}

/** One directory per channel, of the same geometry, at one level. */
export interface ChannelPages {
  readonly pages: readonly TiffPage[];
}

const TILE_PX = 256;
const WHITE_POINT_QUANTILE = 0.999;
const SIGNED = 2;
/** Default colours by channel number, for files that name none: blue, green, red, cyan, magenta, yellow. */
const DEFAULT_COLOURS: readonly (readonly [number, number, number])[] = [
  [0, 0, 255],
  [0, 255, 0],
  [255, 0, 0],
  [0, 255, 255],
  [255, 0, 255],
  [255, 255, 0],
];

export function defaultColour(channel: number): readonly [number, number, number] {
  return DEFAULT_COLOURS[channel % DEFAULT_COLOURS.length] ?? [255, 255, 255];
}

/**
 * The levels of a multi-channel slide as an additive composite: each channel's values are divided by their 99.9 %
 * quantile at the coarsest level, cut to 0..1, and its colour is added in that measure; sums stop at 255. The scale is
 * one for the whole slide, so that tiles fit together.
 */
export function compositeLevels(
  source: ByteSource,
  levels: readonly ChannelPages[],
  channels: readonly Channel[],
): readonly TiffLevel[] {
  const planes = levels.map(({ pages }) => pages.map((page) => channelPlane(source, page)));
  const coarsest = planes.at(-1) ?? [];
  let whitePoints: Promise<readonly number[]> | null = null;
  const scale = (): Promise<readonly number[]> => {
    whitePoints ??= Promise.all(coarsest.map(whitePoint));
    return whitePoints;
  };
  return levels.map(({ pages }, index) => new CompositeLevel(pages, planes[index] ?? [], channels, scale));
}

class CompositeLevel implements TiffLevel {
  readonly page: TiffPage;
  readonly compression: string;
  readonly #planes: readonly ChannelPlane[];
  readonly #channels: readonly Channel[];
  readonly #scale: () => Promise<readonly number[]>;

  constructor(
    pages: readonly TiffPage[],
    planes: readonly ChannelPlane[],
    channels: readonly Channel[],
    scale: () => Promise<readonly number[]>,
  ) {
    const first = pages[0];
    if (first === undefined || pages.length !== channels.length) throw slideDamaged('a level without all its channels');
    const sameSize = pages.every((page) => page.widthPx === first.widthPx && page.heightPx === first.heightPx);
    const sameTiles = planes.every((plane) => plane.tilePx.width === planes[0]?.tilePx.width);
    if (!sameSize || !sameTiles) throw slideDamaged('channels of different sizes');
    this.page = first;
    this.compression = compressionName(first.compression) ?? String(first.compression);
    this.#planes = planes;
    this.#channels = channels;
    this.#scale = scale;
  }

  get widthPx(): number {
    return this.page.widthPx;
  }

  get heightPx(): number {
    return this.page.heightPx;
  }

  get tileWidthPx(): number {
    return this.#planes[0]?.tilePx.width ?? TILE_PX;
  }

  get tileHeightPx(): number {
    return this.#planes[0]?.tilePx.height ?? TILE_PX;
  }

  get columns(): number {
    return Math.ceil(this.widthPx / this.tileWidthPx);
  }

  get rows(): number {
    return Math.ceil(this.heightPx / this.tileHeightPx);
  }

  async rgb(column: number, row: number): Promise<RgbImage | null> {
    const whitePoints = await this.#scale();
    const sums = new Float32Array(this.tileWidthPx * this.tileHeightPx * 3);
    for (const [index, plane] of this.#planes.entries()) {
      const values = await plane.tile(column, row);
      const colour = this.#channels[index]?.rgb;
      if (values === null) return null;
      if (colour !== undefined) addChannel(sums, values, whitePoints[index] ?? 1, colour);
    }
    const data = new Uint8Array(sums.length);
    for (let at = 0; at < sums.length; at++) data[at] = Math.min(255, Math.round(sums[at] as number));
    return { widthPx: this.tileWidthPx, heightPx: this.tileHeightPx, data };
  }

  async jpeg(): Promise<null> {
    return null;
  }
}

function addChannel(
  sums: Float32Array,
  values: Uint16Array,
  whitePoint: number,
  [red, green, blue]: readonly [number, number, number],
): void {
  for (let pixel = 0; pixel < values.length; pixel++) {
    const share = Math.min(1, (values[pixel] as number) / whitePoint);
    sums[pixel * 3] = (sums[pixel * 3] as number) + share * red;
    sums[pixel * 3 + 1] = (sums[pixel * 3 + 1] as number) + share * green;
    sums[pixel * 3 + 2] = (sums[pixel * 3 + 2] as number) + share * blue;
  }
}

/** The values of one channel at one level, tile by tile. */
interface ChannelPlane {
  readonly tilePx: { readonly width: number; readonly height: number };
  readonly tiles: { readonly columns: number; readonly rows: number };
  tile(column: number, row: number): Promise<Uint16Array | null>;
}

function channelPlane(source: ByteSource, page: TiffPage): ChannelPlane {
  if (page.samplesPerPixel !== 1) throw formatUnsupported(`channels of ${page.samplesPerPixel} samples`);
  if (page.bitsPerSample !== 8 && page.bitsPerSample !== 16)
    throw formatUnsupported(`${page.bitsPerSample}-bit samples`);
  if (page.bitsPerSample === 16 && !isRawSamples(page.compression))
    throw formatUnsupported('compressed 16-bit samples');
  if (compressionName(page.compression) === null) throw formatUnsupported(`TIFF compression ${page.compression}`);
  const reader = new ChunkReader(source, page);
  if (page.tiled) {
    return {
      tilePx: { width: page.chunkWidthPx, height: page.chunkHeightPx },
      tiles: { columns: page.columns, rows: page.rows },
      tile: (column, row) => chunkValues(reader, row * page.columns + column),
    };
  }
  checkStripped(page);
  let whole: Promise<Uint16Array> | null = null;
  return {
    tilePx: { width: TILE_PX, height: TILE_PX },
    tiles: { columns: Math.ceil(page.widthPx / TILE_PX), rows: Math.ceil(page.heightPx / TILE_PX) },
    async tile(column, row) {
      whole ??= wholePlane(reader);
      return cutPlane(await whole, page, column, row);
    },
  };
}

/** A chunk's samples as unsigned numbers; negative ones of signed files count as 0. */
async function chunkValues(reader: ChunkReader, index: number): Promise<Uint16Array | null> {
  const { page } = reader;
  if (!isRawSamples(page.compression)) {
    const image = await reader.rgb(index);
    if (image === null) return null;
    const values = new Uint16Array(image.data.length / 3);
    for (let at = 0; at < values.length; at++) values[at] = image.data[at * 3] as number;
    return values;
  }
  const bytes = await reader.samples(index);
  if (bytes === null) return null;
  const wide = page.bitsPerSample === 16;
  const largest = page.sampleFormat === SIGNED ? (wide ? 32767 : 127) : 65535;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Uint16Array(wide ? bytes.length >> 1 : bytes.length);
  for (let at = 0; at < values.length; at++) {
    const value = wide ? view.getUint16(at * 2, page.littleEndian) : (bytes[at] as number);
    values[at] = value > largest ? 0 : value;
  }
  return values;
}

async function wholePlane(reader: ChunkReader): Promise<Uint16Array> {
  const { widthPx, heightPx, chunkHeightPx, rows } = reader.page;
  const plane = new Uint16Array(widthPx * heightPx);
  for (let row = 0; row < rows; row++) {
    const values = await chunkValues(reader, row);
    if (values !== null)
      plane.set(values.subarray(0, plane.length - row * chunkHeightPx * widthPx), row * chunkHeightPx * widthPx);
  }
  return plane;
}

function cutPlane(plane: Uint16Array, page: TiffPage, column: number, row: number): Uint16Array {
  const tile = new Uint16Array(TILE_PX * TILE_PX);
  const x = column * TILE_PX;
  for (let line = 0; line < Math.min(TILE_PX, page.heightPx - row * TILE_PX); line++) {
    const start = (row * TILE_PX + line) * page.widthPx;
    tile.set(plane.subarray(start + x, start + Math.min(page.widthPx, x + TILE_PX)), line * TILE_PX);
  }
  return tile;
}

/** The 99.9 % quantile of a plane's values over at most 64 of its tiles, spread evenly; at least 1. */
async function whitePoint(plane: ChannelPlane): Promise<number> {
  const counts = new Uint32Array(65536);
  const total = plane.tiles.columns * plane.tiles.rows;
  const step = Math.max(1, Math.ceil(total / 64));
  let seen = 0;
  for (let index = 0; index < total; index += step) {
    const values = await plane.tile(index % plane.tiles.columns, Math.floor(index / plane.tiles.columns));
    if (values === null) continue;
    for (const value of values) counts[value] = (counts[value] as number) + 1;
    seen += values.length;
  }
  let below = 0;
  for (let value = 0; value < counts.length; value++) {
    below += counts[value] as number;
    if (below >= seen * WHITE_POINT_QUANTILE) return Math.max(1, value);
  }
  return 1;
}
