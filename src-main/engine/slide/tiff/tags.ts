/** TIFF 6.0 tag numbers, with the ones that whole-slide scanners add. */
export const TAG = {
  newSubfileType: 254,
  imageWidth: 256,
  imageLength: 257,
  bitsPerSample: 258,
  compression: 259,
  photometric: 262,
  imageDescription: 270,
  make: 271,
  model: 272,
  stripOffsets: 273,
  orientation: 274,
  samplesPerPixel: 277,
  rowsPerStrip: 278,
  stripByteCounts: 279,
  xResolution: 282,
  yResolution: 283,
  planarConfiguration: 284,
  resolutionUnit: 296,
  software: 305,
  predictor: 317,
  tileWidth: 322,
  tileLength: 323,
  tileOffsets: 324,
  tileByteCounts: 325,
  subIfds: 330,
  extraSamples: 338,
  sampleFormat: 339,
  jpegTables: 347,
  imageDepth: 32997,
  iccProfile: 34675,
} as const;

/** TIFF compression schemes; 33003 and 33005 are Aperio's JPEG 2000 (YCbCr and RGB). */
export const COMPRESSION = {
  none: 1,
  lzw: 5,
  oldJpeg: 6,
  jpeg: 7,
  deflate: 8,
  adobeDeflate: 32946,
  packBits: 32773,
  aperioJpeg2000Ycbcr: 33003,
  aperioJpeg2000Rgb: 33005,
  jpeg2000: 34712,
  zstd: 50000,
  webp: 50001,
} as const;

/** True for JPEG 2000 under any of its numbers. */
export function isJpeg2000(compression: number): boolean {
  return (
    compression === COMPRESSION.aperioJpeg2000Ycbcr ||
    compression === COMPRESSION.aperioJpeg2000Rgb ||
    compression === COMPRESSION.jpeg2000
  );
}

export const PHOTOMETRIC = { minIsWhite: 0, minIsBlack: 1, rgb: 2, palette: 3, ycbcr: 6 } as const;

const COMPRESSION_NAMES: ReadonlyMap<number, string> = new Map([
  [COMPRESSION.none, 'none'],
  [COMPRESSION.lzw, 'lzw'],
  [COMPRESSION.oldJpeg, 'old-jpeg'],
  [COMPRESSION.jpeg, 'jpeg'],
  [COMPRESSION.deflate, 'deflate'],
  [COMPRESSION.adobeDeflate, 'deflate'],
  [COMPRESSION.packBits, 'packbits'],
  [COMPRESSION.aperioJpeg2000Ycbcr, 'jpeg2000'],
  [COMPRESSION.aperioJpeg2000Rgb, 'jpeg2000'],
  [COMPRESSION.jpeg2000, 'jpeg2000'],
  [COMPRESSION.zstd, 'zstd'],
  [COMPRESSION.webp, 'webp'],
]);

/** The name `info.compression` uses; null for a scheme that no codec here decodes. */
export function compressionName(code: number): string | null {
  const name = COMPRESSION_NAMES.get(code) ?? null;
  return name === 'old-jpeg' ? null : name;
}
