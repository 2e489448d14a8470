import { CodecError } from './codec-error.ts';

/** A coded image with everything that is not needed to decode it left out. */
export interface Scrubbed {
  /** The stream itself where nothing was in it to leave out. */
  readonly bytes: Uint8Array;
  /** Texts of the comments that were left out, to be searched for. */
  readonly comments: readonly string[];
}

type Part = readonly [start: number, end: number];

const JPEG = { soi: 0xd8, eoi: 0xd9, sos: 0xda, com: 0xfe, app0: 0xe0, app14: 0xee } as const;
/** A JFIF segment without a thumbnail; Adobe's segment. */
const JFIF_BYTES = 18;
const ADOBE_BYTES = 16;

/**
 * A JPEG stream (or JPEGTables) of frame, tables and scans only (ITU T.81, annex B): comments, application segments
 * (EXIF, XMP, IPTC, vendors' own) and what follows the end marker are left out. JFIF's header stays where it holds no
 * thumbnail, Adobe's because it says the colour space. Coded pixels stay byte for byte. Throws CodecError.
 */
export function scrubJpeg(stream: Uint8Array): Scrubbed {
  if (stream[0] !== 0xff || stream[1] !== JPEG.soi) throw new CodecError('no JPEG start marker');
  const kept: Part[] = [[0, 2]];
  const comments: string[] = [];
  let at = 2;
  while (at + 1 < stream.length) {
    if (stream[at] !== 0xff) throw new CodecError(`no JPEG marker at ${at}`);
    const marker = stream[at + 1] as number;
    if (marker === 0xff) {
      at++;
      continue;
    }
    if (marker === JPEG.eoi) return joined(stream, [...kept, [at, at + 2]], comments);
    const end = at + 2 + twoBytes(stream, at + 2);
    if (end < at + 4 || end > stream.length) throw new CodecError(`JPEG segment at ${at} leaves the stream`);
    if (marker === JPEG.com) comments.push(textOf(stream.subarray(at + 4, end)));
    else if (isNeeded(stream, marker, at, end)) kept.push([at, end]);
    at = end;
    if (marker === JPEG.sos) {
      at = endOfScan(stream, at);
      kept.push([end, at]);
    }
  }
  // Tiles without an end marker decode all the same; nothing can follow them.
  return joined(stream, kept, comments);
}

function isNeeded(stream: Uint8Array, marker: number, start: number, end: number): boolean {
  const named = (name: string): boolean => textOf(stream.subarray(start + 4, start + 4 + name.length)) === name;
  if (marker === JPEG.app0) return named('JFIF') && end - start === JFIF_BYTES;
  if (marker === JPEG.app14) return named('Adobe') && end - start === ADOBE_BYTES;
  const isTable = marker >= 0xc0 && marker <= 0xdf;
  return isTable;
}

/** Where entropy-coded data ends: at a marker that is neither a stuffed byte nor a restart. */
function endOfScan(stream: Uint8Array, start: number): number {
  let at = start;
  while (at < stream.length) {
    at = stream.indexOf(0xff, at);
    if (at < 0 || at + 1 >= stream.length) return stream.length;
    const next = stream[at + 1] as number;
    if (next !== 0 && next !== 0xff && !(next >= 0xd0 && next <= 0xd7)) return at;
    at += next === 0xff ? 1 : 2;
  }
  return stream.length;
}

const J2K = { soc: 0xff4f, sot: 0xff90, sod: 0xff93, eoc: 0xffd9, com: 0xff64, tlm: 0xff55 } as const;

/**
 * A JPEG 2000 codestream without comments, in its main header and its tile-parts, and without what follows its end
 * (ITU T.800, annex A). Lengths of tile-parts are corrected; the optional table of them (TLM) goes where they change.
 * Throws CodecError, also for a .jp2: its boxes may hold anything.
 */
export function scrubJpeg2000(stream: Uint8Array): Scrubbed {
  if (twoBytes(stream, 0) !== J2K.soc) throw new CodecError('no bare JPEG 2000 codestream');
  const comments: string[] = [];
  const main = headerParts(stream, 2, J2K.sot, comments);
  const parts: Uint8Array[] = [];
  let at = main.end;
  let shortened = false;
  while (at + 12 <= stream.length && twoBytes(stream, at) === J2K.sot) {
    const stated = new DataView(stream.buffer, stream.byteOffset + at).getUint32(6);
    const end = stated === 0 ? endOfCodestream(stream) : at + stated;
    const header = headerParts(stream, at + 12, J2K.sod, comments);
    if (end > stream.length || end < header.end + 2) throw new CodecError(`tile-part at ${at} leaves the stream`);
    const length = end - at - header.dropped;
    const start = Uint8Array.from(stream.subarray(at, at + 12));
    if (stated !== 0) new DataView(start.buffer).setUint32(6, length);
    shortened ||= header.dropped > 0;
    parts.push(start, ...header.kept.map(([a, b]) => stream.subarray(a, b)), stream.subarray(header.end, end));
    at = end;
  }
  if (twoBytes(stream, at) === J2K.eoc) parts.push(stream.subarray(at, at + 2));
  else if (at < stream.length) throw new CodecError(`no tile-part at ${at}`);
  const head = main.kept
    .filter(([start]) => !(shortened && twoBytes(stream, start) === J2K.tlm))
    .map(([a, b]) => stream.subarray(a, b));
  const bytes = Buffer.concat([stream.subarray(0, 2), ...head, ...parts]);
  return { bytes: bytes.length === stream.length ? stream : new Uint8Array(bytes), comments };
}

/** The marker segments from `at` to `last`, comments left out. */
function headerParts(
  stream: Uint8Array,
  at: number,
  last: number,
  comments: string[],
): { kept: Part[]; end: number; dropped: number } {
  const kept: Part[] = [];
  let dropped = 0;
  let start = at;
  while (start + 4 <= stream.length) {
    const marker = twoBytes(stream, start);
    if (marker === last) return { kept, end: start, dropped };
    if (marker < 0xff4f) throw new CodecError(`no JPEG 2000 marker at ${start}`);
    const end = start + 2 + twoBytes(stream, start + 2);
    if (end < start + 4 || end > stream.length) throw new CodecError(`marker segment at ${start} leaves the stream`);
    if (marker === J2K.com) {
      dropped += end - start;
      comments.push(textOf(stream.subarray(start + 6, end)));
    } else {
      kept.push([start, end]);
    }
    start = end;
  }
  throw new CodecError('JPEG 2000 header without an end');
}

/** Of the last tile-part, which may leave its length open: the end marker, or the end. */
function endOfCodestream(stream: Uint8Array): number {
  const end = stream.length - 2;
  return twoBytes(stream, end) === J2K.eoc ? end : stream.length;
}

/** A WebP holds its pixels in these chunks; EXIF, XMP and unknown ones may hold anything. */
const WEBP_CHUNKS: readonly string[] = ['VP8 ', 'VP8L', 'VP8X', 'ALPH'];

/** True for a WebP stream of pixel chunks only, with nothing behind them. */
export function isBareWebp(stream: Uint8Array): boolean {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  if (stream.length < 12 || view.getUint32(4, true) + 8 !== stream.length) return false;
  let at = 12;
  while (at + 8 <= stream.length) {
    if (!WEBP_CHUNKS.includes(textOf(stream.subarray(at, at + 4)))) return false;
    const length = view.getUint32(at + 4, true);
    at += 8 + length + (length % 2);
  }
  return at === stream.length;
}

function joined(stream: Uint8Array, kept: readonly Part[], comments: readonly string[]): Scrubbed {
  const length = kept.reduce((sum, [start, end]) => sum + end - start, 0);
  if (length === stream.length) return { bytes: stream, comments };
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const [start, end] of kept) {
    bytes.set(stream.subarray(start, end), at);
    at += end - start;
  }
  return { bytes, comments };
}

function twoBytes(stream: Uint8Array, at: number): number {
  return ((stream[at] ?? 0) << 8) | (stream[at + 1] ?? 0);
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
