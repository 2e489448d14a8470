import { inflateRawSync } from 'node:zlib';
import type { ByteSource } from './byte-source.ts';
import { damaged } from './tensor.ts';

/** A file inside an archive, unpacked when asked for. */
export interface ZipEntry {
  readonly name: string;
  read(): Uint8Array;
}

const END_RECORD = 0x06054b50;
const END_RECORD_64 = 0x06064b50;
const END_LOCATOR_64 = 0x07064b50;
const CENTRAL_RECORD = 0x02014b50;
const LOCAL_RECORD = 0x04034b50;
/** Refuses archives that unpack to more than a checkpoint can be. */
const MAX_ENTRY_BYTES = 2 ** 31 - 1;

/**
 * Lists a ZIP archive as PyTorch writes it (stored or deflated, ZIP64 included). Only its directory is read.
 *
 * @throws AppError BackboneUnreadable.
 * @see PKWARE APPNOTE 6.3.10, sections 4.3.7, 4.3.12, 4.3.14 - 4.3.16, 4.5.3
 */
export function readZip(source: ByteSource): ZipEntry[] {
  try {
    const { start, end, count } = findDirectory(source);
    const directory = source.read(start, end);
    const view = viewOf(directory);
    const entries: ZipEntry[] = [];
    let at = 0;
    for (let i = 0; i < count; i += 1) {
      if (view.getUint32(at, true) !== CENTRAL_RECORD) throw damaged('The archive of this checkpoint is damaged.');
      const nameLength = view.getUint16(at + 28, true);
      const extraLength = view.getUint16(at + 30, true);
      entries.push(readRecord(source, directory, at, nameLength, extraLength));
      at += 46 + nameLength + extraLength + view.getUint16(at + 32, true);
    }
    return entries;
  } catch (error) {
    if (error instanceof RangeError) throw damaged('The archive of this checkpoint is cut short.');
    throw error;
  }
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

interface Directory {
  readonly start: number;
  /** Where the record lies that tells of it. */
  readonly end: number;
  readonly count: number;
}

function findDirectory(source: ByteSource): Directory {
  const lowest = Math.max(0, source.byteLength - 22 - 65_535 - 20);
  const view = viewOf(source.read(lowest, source.byteLength));
  for (let at = view.byteLength - 22; at >= 0; at -= 1) {
    if (view.getUint32(at, true) !== END_RECORD) continue;
    const large = at >= 20 && view.getUint32(at - 20, true) === END_LOCATOR_64;
    if (!large) return { start: view.getUint32(at + 16, true), end: lowest + at, count: view.getUint16(at + 10, true) };
    const end = Number(view.getBigUint64(at - 12, true));
    const record = viewOf(source.read(end, end + 56));
    if (record.getUint32(0, true) !== END_RECORD_64) break;
    return { start: Number(record.getBigUint64(48, true)), end, count: Number(record.getBigUint64(32, true)) };
  }
  throw damaged('The archive of this checkpoint is cut short.');
}

/** One entry of the directory, at `at` in it. */
function readRecord(
  source: ByteSource,
  directory: Uint8Array,
  at: number,
  nameLength: number,
  extraLength: number,
): ZipEntry {
  const view = viewOf(directory);
  const name = Buffer.from(directory.subarray(at + 46, at + 46 + nameLength)).toString('utf8');
  const method = view.getUint16(at + 10, true);
  const sizes = [view.getUint32(at + 24, true), view.getUint32(at + 20, true), view.getUint32(at + 42, true)];
  const [size = 0, packed = 0, local = 0] = widen(view, sizes, at + 46 + nameLength, extraLength);
  return {
    name,
    read() {
      if (size > MAX_ENTRY_BYTES) throw damaged(`The part "${name}" of this checkpoint is larger than 2 GB.`, '');
      const header = viewOf(source.read(local, local + 30));
      if (header.byteLength < 30 || header.getUint32(0, true) !== LOCAL_RECORD) {
        throw damaged('The archive of this checkpoint is damaged.');
      }
      const start = local + 30 + header.getUint16(26, true) + header.getUint16(28, true);
      if (start + packed > source.byteLength) throw damaged('The archive of this checkpoint is cut short.');
      const data = source.read(start, start + packed);
      if (method === 0) return data;
      if (method === 8) return inflateRawSync(data, { maxOutputLength: size });
      throw damaged(`The part "${name}" of this checkpoint is packed in a way Hyaline cannot read.`, 'Save it again.');
    },
  };
}

/** Replaces 32-bit fields that are full (0xffffffff) by their 64-bit values from the ZIP64 extra field, in order. */
function widen(view: DataView, fields: readonly number[], extra: number, length: number): number[] {
  let at = extra;
  while (at + 4 <= extra + length) {
    const size = view.getUint16(at + 2, true);
    if (view.getUint16(at, true) === 1) {
      let next = at + 4;
      return fields.map((field) => {
        if (field !== 0xffffffff) return field;
        next += 8;
        return Number(view.getBigUint64(next - 8, true));
      });
    }
    at += 4 + size;
  }
  return [...fields];
}
