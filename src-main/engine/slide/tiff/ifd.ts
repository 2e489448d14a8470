import type { ByteSource } from '../byte-source.ts';
import { slideDamaged } from '../slide-errors.ts';

/** Byte order and offset size of a TIFF. */
export interface TiffLayout {
  readonly littleEndian: boolean;
  readonly big: boolean;
}

/** One directory entry: where its value lies, not the value. */
export interface IfdEntry {
  readonly type: number;
  readonly count: number;
  readonly lengthBytes: number;
  /** Offset of the value in the file (inside the directory for short values). */
  readonly valueOffset: number;
  /** Offset of the entry itself. */
  readonly entryOffset: number;
  readonly inline: Uint8Array | null;
}

const TYPE = { byte: 1, ascii: 2, short: 3, long: 4, rational: 5, undefined: 7, ifd: 13, long8: 16, ifd8: 18 } as const;
const TYPE_BYTES: readonly number[] = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];

/** Bytes per value of a TIFF field type; 0 for an unknown type. */
export function typeBytes(type: number): number {
  return TYPE_BYTES[type] ?? 0;
}

/** A directory whose values are read when they are asked for. Every getter throws SlideDamaged for values outside the file. */
export class Ifd {
  readonly offset: number;
  readonly entries: ReadonlyMap<number, IfdEntry>;
  readonly #source: ByteSource;
  readonly #layout: TiffLayout;
  readonly #tables = new Map<number, Promise<NumberTable | null>>();

  constructor(source: ByteSource, layout: TiffLayout, offset: number, entries: ReadonlyMap<number, IfdEntry>) {
    this.#source = source;
    this.#layout = layout;
    this.offset = offset;
    this.entries = entries;
  }

  has(tag: number): boolean {
    return this.entries.has(tag);
  }

  /** First value of an integer tag; null where the tag is absent. */
  async number(tag: number): Promise<number | null> {
    const values = await this.#table(tag, 1);
    return values === null || values.length === 0 ? null : values.at(0);
  }

  /** One value of an integer array, without reading the rest. Throws SlideDamaged where there is none. */
  async numberAt(tag: number, index: number): Promise<number> {
    const entry = this.entries.get(tag);
    const size = integerBytes(entry?.type ?? 0);
    if (entry === undefined || size === 0 || index >= entry.count)
      throw slideDamaged(`tag ${tag} has no entry ${index}`);
    const start = index * size;
    const bytes =
      entry.inline?.subarray(start, start + size) ?? (await this.#source.readCached(entry.valueOffset + start, size));
    return new NumberTable(bytes, size, this.#layout.littleEndian).at(0);
  }

  /** All values of an integer tag, at most `max`: more throws SlideDamaged. */
  async numbers(tag: number, max: number): Promise<readonly number[] | null> {
    const entry = this.entries.get(tag);
    if (entry === undefined) return null;
    if (entry.count > max) throw slideDamaged(`tag ${tag} with ${entry.count} values`);
    const table = await this.#table(tag, entry.count);
    return table === null ? null : Array.from({ length: table.length }, (_, index) => table.at(index));
  }

  /** A long integer array (tile offsets, byte counts) kept as the file's bytes. */
  async table(tag: number): Promise<NumberTable | null> {
    const known = this.#tables.get(tag);
    if (known !== undefined) return known;
    const table = this.#table(tag, this.entries.get(tag)?.count ?? 0);
    this.#tables.set(tag, table);
    table.catch(() => this.#tables.delete(tag));
    return table;
  }

  /** Text up to the first NUL, UTF-8 with Latin-1 as the way out; null where the tag is absent. */
  async text(tag: number, maxBytes = 1 << 26): Promise<string | null> {
    const bytes = await this.bytes(tag, maxBytes);
    if (bytes === null) return null;
    const end = bytes.indexOf(0);
    const used = end < 0 ? bytes : bytes.subarray(0, end);
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(used);
    } catch {
      return new TextDecoder('latin1').decode(used);
    }
  }

  /** The raw value of a tag; null where it is absent. */
  async bytes(tag: number, maxBytes = 1 << 26): Promise<Uint8Array | null> {
    const entry = this.entries.get(tag);
    if (entry === undefined) return null;
    if (entry.inline !== null) return entry.inline;
    if (entry.lengthBytes > maxBytes) throw slideDamaged(`tag ${tag} of ${entry.lengthBytes} bytes`);
    return this.#source.readCached(entry.valueOffset, entry.lengthBytes);
  }

  /** A RATIONAL as a float; null where it is absent, of another type or has a zero denominator. */
  async rational(tag: number): Promise<number | null> {
    const entry = this.entries.get(tag);
    if (entry === undefined || entry.type !== TYPE.rational || entry.count < 1) return null;
    const bytes = entry.inline ?? (await this.#source.readCached(entry.valueOffset, 8));
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const denominator = view.getUint32(4, this.#layout.littleEndian);
    return denominator === 0 ? null : view.getUint32(0, this.#layout.littleEndian) / denominator;
  }

  async #table(tag: number, count: number): Promise<NumberTable | null> {
    const entry = this.entries.get(tag);
    if (entry === undefined) return null;
    const size = integerBytes(entry.type);
    if (size === 0) throw slideDamaged(`tag ${tag} of type ${entry.type} where an integer belongs`);
    const bytes =
      entry.inline ?? (await this.#source.readCached(entry.valueOffset, size * Math.min(count, entry.count)));
    return new NumberTable(bytes, size, this.#layout.littleEndian);
  }
}

/** Unsigned integers as they lie in the file: a slide of 10^5 px has 10^5 tiles, which need not become JavaScript numbers. */
export class NumberTable {
  readonly length: number;
  readonly #view: DataView;
  readonly #size: number;
  readonly #littleEndian: boolean;

  constructor(bytes: Uint8Array, size: number, littleEndian: boolean) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#size = size;
    this.#littleEndian = littleEndian;
    this.length = Math.floor(bytes.byteLength / size);
  }

  at(index: number): number {
    if (index < 0 || index >= this.length) throw slideDamaged(`entry ${index} of a table of ${this.length}`);
    const at = index * this.#size;
    if (this.#size === 4) return this.#view.getUint32(at, this.#littleEndian);
    if (this.#size === 8) return Number(this.#view.getBigUint64(at, this.#littleEndian));
    return this.#size === 2 ? this.#view.getUint16(at, this.#littleEndian) : this.#view.getUint8(at);
  }
}

function integerBytes(type: number): number {
  switch (type) {
    case TYPE.byte:
    case TYPE.undefined:
      return 1;
    case TYPE.short:
      return 2;
    case TYPE.long:
    case TYPE.ifd:
      return 4;
    case TYPE.long8:
    case TYPE.ifd8:
      return 8;
    default:
      return 0;
  }
}
