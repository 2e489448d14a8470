import { formatUnsupported, slideDamaged } from '../slide-errors.ts';
import type { Ifd, NumberTable } from './ifd.ts';
import { COMPRESSION, compressionName, PHOTOMETRIC, TAG } from './tags.ts';

/** 4 million pixels a side: a metre of glass at 0.25 µm. */
const MAX_SIDE_PX = 1 << 22;
/** Tiles of 4096 px; more comes from a damaged tag and would only cost memory. */
const MAX_CHUNK_PIXELS = 1 << 24;

/** The geometry and sample layout of one directory: enough to find and decode its tiles or strips. */
export interface TiffPage {
  readonly ifd: Ifd;
  readonly widthPx: number;
  readonly heightPx: number;
  readonly tiled: boolean;
  /** Tile size; for strips the image width and the rows per strip. */
  readonly chunkWidthPx: number;
  readonly chunkHeightPx: number;
  readonly columns: number;
  readonly rows: number;
  readonly compression: number;
  readonly photometric: number;
  readonly samplesPerPixel: number;
  readonly bitsPerSample: number;
  readonly planar: boolean;
  /** 1 unsigned, 2 signed, 3 float (TIFF 6.0, section 19). */
  readonly sampleFormat: number;
  readonly predictor: number;
  readonly littleEndian: boolean;
}

/**
 * Reads and checks the layout of a directory. Throws SlideDamaged for sizes that contradict each other or the file,
 * SlideFormatUnsupported for sample layouts nobody here decodes.
 */
export async function readPage(ifd: Ifd, littleEndian: boolean): Promise<TiffPage> {
  const widthPx = await required(ifd, TAG.imageWidth, 'image width');
  const heightPx = await required(ifd, TAG.imageLength, 'image height');
  if (widthPx < 1 || heightPx < 1 || widthPx > MAX_SIDE_PX || heightPx > MAX_SIDE_PX) {
    throw slideDamaged(`image of ${widthPx} x ${heightPx} px`);
  }
  const tiled = ifd.has(TAG.tileWidth);
  const chunkWidthPx = tiled ? await required(ifd, TAG.tileWidth, 'tile width') : widthPx;
  const rowsPerStrip = (await ifd.number(TAG.rowsPerStrip)) ?? heightPx;
  const chunkHeightPx = tiled ? await required(ifd, TAG.tileLength, 'tile height') : Math.min(rowsPerStrip, heightPx);
  if (chunkWidthPx < 1 || chunkHeightPx < 1 || chunkWidthPx * chunkHeightPx > MAX_CHUNK_PIXELS) {
    throw slideDamaged(`tiles of ${chunkWidthPx} x ${chunkHeightPx} px`);
  }
  const page: TiffPage = {
    ifd,
    widthPx,
    heightPx,
    tiled,
    chunkWidthPx,
    chunkHeightPx,
    columns: Math.ceil(widthPx / chunkWidthPx),
    rows: Math.ceil(heightPx / chunkHeightPx),
    compression: (await ifd.number(TAG.compression)) ?? COMPRESSION.none,
    photometric: (await ifd.number(TAG.photometric)) ?? PHOTOMETRIC.minIsBlack,
    samplesPerPixel: (await ifd.number(TAG.samplesPerPixel)) ?? 1,
    bitsPerSample: (await ifd.number(TAG.bitsPerSample)) ?? 1,
    planar: (await ifd.number(TAG.planarConfiguration)) === 2,
    sampleFormat: (await ifd.number(TAG.sampleFormat)) ?? 1,
    predictor: (await ifd.number(TAG.predictor)) ?? 1,
    littleEndian,
  };
  checkChunkTables(page);
  return page;
}

/** Throws SlideFormatUnsupported where the page's pixels cannot be turned into 8-bit RGB here. */
export function requireDecodable(page: TiffPage): void {
  const name = compressionName(page.compression);
  if (name === null) throw formatUnsupported(`TIFF compression ${page.compression}`);
  const { samplesPerPixel, bitsPerSample, photometric, planar } = page;
  if (bitsPerSample !== 8 && !(bitsPerSample === 16 && isRawSamples(page.compression))) {
    throw formatUnsupported(`${bitsPerSample}-bit samples`);
  }
  if (planar && samplesPerPixel > 1) throw formatUnsupported('separate colour planes');
  const rgb = photometric === PHOTOMETRIC.rgb && samplesPerPixel >= 3 && samplesPerPixel <= 4;
  const grey =
    (photometric === PHOTOMETRIC.minIsBlack || photometric === PHOTOMETRIC.minIsWhite) && samplesPerPixel <= 2;
  const ycbcr = photometric === PHOTOMETRIC.ycbcr && samplesPerPixel === 3 && !isRawSamples(page.compression);
  if (!rgb && !grey && !ycbcr) {
    throw formatUnsupported(`colour model ${photometric} with ${samplesPerPixel} samples per pixel`);
  }
}

/** True where decompression yields plain samples rather than an image with a header of its own. */
export function isRawSamples(compression: number): boolean {
  return (
    compression === COMPRESSION.none ||
    compression === COMPRESSION.lzw ||
    compression === COMPRESSION.deflate ||
    compression === COMPRESSION.adobeDeflate ||
    compression === COMPRESSION.packBits ||
    compression === COMPRESSION.zstd
  );
}

/** Where the tiles or strips of a page lie; read once, kept as the file's bytes. */
export async function readChunkTable(page: TiffPage): Promise<{ offsets: NumberTable; byteCounts: NumberTable }> {
  const offsets = await page.ifd.table(page.tiled ? TAG.tileOffsets : TAG.stripOffsets);
  const byteCounts = await page.ifd.table(page.tiled ? TAG.tileByteCounts : TAG.stripByteCounts);
  if (offsets === null || byteCounts === null) throw slideDamaged('no tile table');
  return { offsets, byteCounts };
}

/** True where the first or the last tile of a page lies past the end of the file: the mark of a copy that was cut short. */
export async function isCutShort(page: TiffPage, sizeBytes: number): Promise<boolean> {
  const [offsetTag, countTag] = page.tiled
    ? [TAG.tileOffsets, TAG.tileByteCounts]
    : [TAG.stripOffsets, TAG.stripByteCounts];
  const last = page.columns * page.rows - 1;
  for (const index of new Set([0, last])) {
    const offset = await page.ifd.numberAt(offsetTag, index);
    const count = await page.ifd.numberAt(countTag, index);
    if (offset + count > sizeBytes) return true;
  }
  return false;
}

/** How many tiles or strips of a page have no bytes in the file. */
export async function missingChunks(page: TiffPage): Promise<number> {
  const { byteCounts } = await readChunkTable(page);
  const chunks = Math.min(byteCounts.length, page.columns * page.rows);
  let missing = 0;
  for (let index = 0; index < chunks; index++) if (byteCounts.at(index) === 0) missing++;
  return missing;
}

/** The table must name every tile: checked on the counts alone, before anything is read or allocated. */
function checkChunkTables(page: TiffPage): void {
  const wanted = page.columns * page.rows * (page.planar ? page.samplesPerPixel : 1);
  for (const tag of page.tiled ? [TAG.tileOffsets, TAG.tileByteCounts] : [TAG.stripOffsets, TAG.stripByteCounts]) {
    const count = page.ifd.entries.get(tag)?.count ?? 0;
    if (count < wanted) throw slideDamaged(`tile table of ${count} entries for ${wanted} tiles`);
  }
}

async function required(ifd: Ifd, tag: number, what: string): Promise<number> {
  const value = await ifd.number(tag);
  if (value === null) throw slideDamaged(`directory at ${ifd.offset} without ${what}`);
  return value;
}
