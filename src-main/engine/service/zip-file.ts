import { crc32, deflateRawSync } from 'node:zlib';

export interface ZipMember {
  /** ASCII or UTF-8, with forward slashes. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const VERSION = 20;
const UTF8_NAMES = 0x0800;
const DEFLATE = 8;
/** 1 January 1980: the same files give the same archive. */
const DOS_DATE = 0x0021;

/**
 * Files as one ZIP archive, deflated; for exports of a few megabytes (no ZIP64).
 *
 * @see PKWARE APPNOTE 6.3.10, sections 4.3.7, 4.3.12, 4.3.16
 */
export function zipOf(members: readonly ZipMember[]): Uint8Array {
  const pieces: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, bytes } of members) {
    const path = Buffer.from(name, 'utf8');
    const packed = deflateRawSync(bytes);
    const common = commonFields(bytes, packed.byteLength, path.byteLength);
    const local = Buffer.concat([uint32(LOCAL), common, path]);
    pieces.push(local, packed);
    // Made by, then the fields of the local header, then comment length, disk, attributes and the local header's place.
    const tail = Buffer.concat([uint16(0), uint16(0), uint16(0), uint32(0), uint32(offset)]);
    directory.push(uint32(CENTRAL), uint16(VERSION), common, tail, path);
    offset += local.byteLength + packed.byteLength;
  }
  const listing = Buffer.concat(directory);
  const count = uint16(members.length);
  const end = [uint32(END), uint16(0), uint16(0), count, count, uint32(listing.byteLength), uint32(offset), uint16(0)];
  return Buffer.concat([...pieces, listing, ...end]);
}

function commonFields(bytes: Uint8Array, packedBytes: number, nameBytes: number): Buffer {
  const heads = [VERSION, UTF8_NAMES, DEFLATE, 0, DOS_DATE].map(uint16);
  const sizes = [crc32(bytes), packedBytes, bytes.byteLength].map(uint32);
  return Buffer.concat([...heads, ...sizes, uint16(nameBytes), uint16(0)]);
}

function uint16(value: number): Buffer {
  const out = Buffer.alloc(2);
  out.writeUInt16LE(value);
  return out;
}

function uint32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(value >>> 0);
  return out;
}
