import { CodecError } from './codec-error.ts';

/** Colour space a container says its JPEG streams hold; `unknown` leaves the decision to the stream's own markers. */
export type JpegColour = 'rgb' | 'ycbcr' | 'grey' | 'unknown';

/** What the headers of a JPEG stream say, without its entropy-coded data. */
export interface JpegHeader {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly componentIds: readonly number[];
  /** Colour transform of the Adobe APP14 marker: 0 none, 1 YCbCr; null without the marker. */
  readonly adobeTransform: number | null;
  readonly hasJfif: boolean;
}

interface Segment {
  readonly marker: number;
  /** From the 0xFF of the marker to the end of the segment. */
  readonly start: number;
  readonly end: number;
}

const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
const APP0 = 0xe0;
const APP14 = 0xee;
/** APP14 "Adobe", version 100, flags 0, transform in the last byte. */
const ADOBE_SEGMENT = [0xff, APP14, 0, 14, 0x41, 0x64, 0x6f, 0x62, 0x65, 0, 100, 0, 0, 0, 0];

/** Reads the headers of a JPEG stream up to its first scan (ITU T.81, annex B). Throws CodecError. */
export function readJpegHeader(stream: Uint8Array): JpegHeader {
  return headerOf(stream, segmentsOf(stream).segments);
}

/**
 * One self-contained JPEG from a TIFF's abbreviated stream: the JPEGTables segments go in front of the tile's own
 * (TIFF Technical Note 2), and where a decoder would guess another colour space than the TIFF states, an Adobe marker
 * says which (transform 0 for RGB). The entropy-coded bytes are not touched. There is never more than one Adobe marker.
 * Throws CodecError where the stream has no frame or no scan.
 */
export function assembleJpeg(tables: Uint8Array | null, stream: Uint8Array, colour: JpegColour): Uint8Array {
  const { segments, scanStart } = segmentsOf(stream);
  const header = headerOf(stream, segments);
  const marker = colourMarker(header, colour);
  const tableBytes = tables === null ? new Uint8Array(0) : tableSegments(tables);
  if (marker === null && tableBytes.length === 0) return stream;
  const kept = marker === null ? segments : segments.filter((segment) => !saysColour(stream, segment));
  const parts: Uint8Array[] = [stream.subarray(0, 2)];
  if (marker !== null) parts.push(marker);
  parts.push(tableBytes);
  for (const segment of kept) parts.push(stream.subarray(segment.start, segment.end));
  parts.push(stream.subarray(scanStart));
  return concatenate(parts);
}

/** The Adobe marker that makes decoders see `colour`, or null where they see it already. */
function colourMarker(header: JpegHeader, colour: JpegColour): Uint8Array | null {
  if (header.componentIds.length !== 3 || (colour !== 'rgb' && colour !== 'ycbcr')) return null;
  if (impliedColour(header) === colour) return null;
  return Uint8Array.from([...ADOBE_SEGMENT, colour === 'rgb' ? 0 : 1]);
}

/** The colour space libjpeg (jdapimin.c, default_decompress_parms) and with it every browser assumes. */
function impliedColour(header: JpegHeader): 'rgb' | 'ycbcr' {
  if (header.hasJfif) return 'ycbcr';
  if (header.adobeTransform !== null) return header.adobeTransform === 0 ? 'rgb' : 'ycbcr';
  const [first, second, third] = header.componentIds;
  return first === 0x52 && second === 0x47 && third === 0x42 ? 'rgb' : 'ycbcr';
}

function saysColour(stream: Uint8Array, segment: Segment): boolean {
  return isJfif(stream, segment) || isAdobe(stream, segment);
}

function isJfif(stream: Uint8Array, segment: Segment): boolean {
  return segment.marker === APP0 && textAt(stream, segment.start + 4, 4) === 'JFIF';
}

function isAdobe(stream: Uint8Array, segment: Segment): boolean {
  return (
    segment.marker === APP14 && segment.end - segment.start >= 16 && textAt(stream, segment.start + 4, 5) === 'Adobe'
  );
}

/** The segments between SOI and EOI of a JPEGTables value. */
function tableSegments(tables: Uint8Array): Uint8Array {
  if (tables[0] !== 0xff || tables[1] !== SOI) throw new CodecError('JPEG tables without a start marker');
  let end = tables.length;
  while (end > 2 && !(tables[end - 2] === 0xff && tables[end - 1] === EOI)) end--;
  if (end <= 2) throw new CodecError('JPEG tables without an end marker');
  return tables.subarray(2, end - 2);
}

function segmentsOf(stream: Uint8Array): { segments: readonly Segment[]; scanStart: number } {
  if (stream.length < 4 || stream[0] !== 0xff || stream[1] !== SOI) throw new CodecError('no JPEG start marker');
  const segments: Segment[] = [];
  let at = 2;
  while (at + 4 <= stream.length) {
    if (stream[at] !== 0xff) throw new CodecError(`no JPEG marker at ${at}`);
    const marker = stream[at + 1] ?? 0;
    if (marker === 0xff) {
      at++;
      continue;
    }
    if (marker === SOS) return { segments, scanStart: at };
    if (marker === EOI || marker === SOI) break;
    const length = ((stream[at + 2] ?? 0) << 8) | (stream[at + 3] ?? 0);
    const end = at + 2 + length;
    if (length < 2 || end > stream.length) throw new CodecError(`JPEG segment at ${at} leaves the stream`);
    segments.push({ marker, start: at, end });
    at = end;
  }
  throw new CodecError('JPEG stream without a scan');
}

function headerOf(stream: Uint8Array, segments: readonly Segment[]): JpegHeader {
  let frame: Segment | null = null;
  let adobeTransform: number | null = null;
  let hasJfif = false;
  for (const segment of segments) {
    if (isFrame(segment.marker)) frame ??= segment;
    else if (isJfif(stream, segment)) hasJfif = true;
    else if (isAdobe(stream, segment)) adobeTransform = stream[segment.start + 15] ?? 0;
  }
  if (frame === null || frame.end - frame.start < 10) throw new CodecError('JPEG stream without a frame');
  const byte = (offset: number): number => stream[(frame?.start ?? 0) + offset] ?? 0;
  const count = byte(9);
  if (frame.end - frame.start < 10 + count * 3) throw new CodecError('JPEG frame header cut short');
  return {
    heightPx: (byte(5) << 8) | byte(6),
    widthPx: (byte(7) << 8) | byte(8),
    componentIds: Array.from({ length: count }, (_, index) => byte(10 + index * 3)),
    adobeTransform,
    hasJfif,
  };
}

/** SOF0..SOF15 without DHT (C4), JPG (C8) and DAC (CC); SOF55 (F7) is JPEG-LS (T.87, annex C). */
function isFrame(marker: number): boolean {
  return marker === 0xf7 || (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc);
}

function textAt(bytes: Uint8Array, start: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(start, start + length));
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
