import { inflateRawSync } from 'node:zlib';
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
 * Lists a ZIP archive as PyTorch writes it (stored or deflated, ZIP64 included).
 *
 * @throws AppError BackboneUnreadable.
 * @see PKWARE APPNOTE 6.3.10, sections 4.3.7, 4.3.12, 4.3.14 - 4.3.16, 4.5.3
 */
export function readZip(bytes: Uint8Array): ZipEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    const { offset, count } = findDirectory(view);
    const entries: ZipEntry[] = [];
    let at = offset;
    for (let i = 0; i < count; i += 1) {
      if (view.getUint32(at, true) !== CENTRAL_RECORD) throw damaged('The archive of this checkpoint is damaged.');
      const nameLength = view.getUint16(at + 28, true);
      const extraLength = view.getUint16(at + 30, true);
      entries.push(readRecord(bytes, view, at, nameLength, extraLength));
      at += 46 + nameLength + extraLength + view.getUint16(at + 32, true);
    }
    return entries;
  } catch (error) {
    if (error instanceof RangeError) throw damaged('The archive of this checkpoint is cut short.');
    throw error;
  }
}

function findDirectory(view: DataView): { offset: number; count: number } {
  const lowest = Math.max(0, view.byteLength - 22 - 65_535);
  for (let at = view.byteLength - 22; at >= lowest; at -= 1) {
    if (view.getUint32(at, true) !== END_RECORD) continue;
    const large = at >= 20 && view.getUint32(at - 20, true) === END_LOCATOR_64;
    if (!large) return { offset: view.getUint32(at + 16, true), count: view.getUint16(at + 10, true) };
    const record = Number(view.getBigUint64(at - 12, true));
    if (view.getUint32(record, true) !== END_RECORD_64) break;
    return {
      offset: Number(view.getBigUint64(record + 48, true)),
      count: Number(view.getBigUint64(record + 32, true)),
    };
  }
  throw damaged('The archive of this checkpoint is cut short.');
}

function readRecord(bytes: Uint8Array, view: DataView, at: number, nameLength: number, extraLength: number): ZipEntry {
  const name = Buffer.from(bytes.subarray(at + 46, at + 46 + nameLength)).toString('utf8');
  const method = view.getUint16(at + 10, true);
  const sizes = [view.getUint32(at + 24, true), view.getUint32(at + 20, true), view.getUint32(at + 42, true)];
  const [size = 0, packed = 0, local = 0] = widen(view, sizes, at + 46 + nameLength, extraLength);
  return {
    name,
    read() {
      if (size > MAX_ENTRY_BYTES) throw damaged(`The part "${name}" of this checkpoint is larger than 2 GB.`, '');
      if (local + 30 > bytes.byteLength || view.getUint32(local, true) !== LOCAL_RECORD) {
        throw damaged('The archive of this checkpoint is damaged.');
      }
      const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
      if (start + packed > bytes.byteLength) throw damaged('The archive of this checkpoint is cut short.');
      const data = bytes.subarray(start, start + packed);
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
