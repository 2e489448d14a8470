/** Builds TIFF files in memory, tag by tag, for tests: any layout, including wrong ones. */

export interface TestTag {
  readonly tag: number;
  readonly type: 'byte' | 'ascii' | 'short' | 'long' | 'rational' | 'undefined' | 'long8';
  readonly values: readonly number[] | string | Uint8Array;
}

export interface TestPage {
  readonly tags: readonly TestTag[];
  /** Bytes of each tile or strip; an empty array makes a sparse one. Their offsets and counts are added as tags. */
  readonly chunks: readonly Uint8Array[];
  readonly stripped?: boolean;
  readonly subPages?: readonly TestPage[];
}

export interface TestTiffOptions {
  readonly big?: boolean;
  readonly littleEndian?: boolean;
}

const TYPES = { byte: 1, ascii: 2, short: 3, long: 4, rational: 5, undefined: 7, long8: 16 } as const;
const SIZES = { byte: 1, ascii: 1, short: 2, long: 4, rational: 8, undefined: 1, long8: 8 } as const;

/** Short cuts for the tags that nearly every page has. */
export function pageTags(options: {
  width: number;
  height: number;
  tile?: number;
  compression?: number;
  photometric?: number;
  description?: string;
  samples?: number;
  bits?: number;
  extra?: readonly TestTag[];
}): readonly TestTag[] {
  const { width, height, tile, compression = 1, photometric = 2, description, samples = 3, bits = 8 } = options;
  return [
    { tag: 256, type: 'long', values: [width] },
    { tag: 257, type: 'long', values: [height] },
    { tag: 258, type: 'short', values: Array.from({ length: samples }, () => bits) },
    { tag: 259, type: 'short', values: [compression] },
    { tag: 262, type: 'short', values: [photometric] },
    ...(description === undefined ? [] : [{ tag: 270, type: 'ascii' as const, values: description }]),
    { tag: 277, type: 'short', values: [samples] },
    ...(tile === undefined
      ? [{ tag: 278, type: 'long' as const, values: [height] }]
      : [
          { tag: 322, type: 'short' as const, values: [tile] },
          { tag: 323, type: 'short' as const, values: [tile] },
        ]),
    ...(options.extra ?? []),
  ];
}

/** The file's bytes: pixel data first, then each directory behind its values. */
export function buildTiff(pages: readonly TestPage[], options: TestTiffOptions = {}): Uint8Array {
  return new TiffBuilder(options.big ?? false, options.littleEndian ?? true).build(pages);
}

class TiffBuilder {
  readonly #big: boolean;
  readonly #littleEndian: boolean;
  #bytes: Uint8Array = new Uint8Array(1 << 16);
  #length: number;

  constructor(big: boolean, littleEndian: boolean) {
    this.#big = big;
    this.#littleEndian = littleEndian;
    this.#length = big ? 16 : 8;
  }

  build(pages: readonly TestPage[]): Uint8Array {
    const mark = this.#littleEndian ? 0x49 : 0x4d;
    this.#bytes.set([mark, mark]);
    this.#view().setUint16(2, this.#big ? 43 : 42, this.#littleEndian);
    if (this.#big) this.#view().setUint16(4, 8, this.#littleEndian);
    let pointerAt = this.#big ? 8 : 4;
    for (const page of pages) {
      const { offset, nextPointerAt } = this.#page(page);
      this.#pointer(pointerAt, offset);
      pointerAt = nextPointerAt;
    }
    return this.#bytes.slice(0, this.#length);
  }

  #page(page: TestPage): { offset: number; nextPointerAt: number } {
    const offsets = page.chunks.map((chunk) => (chunk.length === 0 ? 0 : this.#append(chunk)));
    const subOffsets = (page.subPages ?? []).map((sub) => this.#page(sub).offset);
    const pointer = this.#big ? 'long8' : 'long';
    const stripped = page.stripped ?? false;
    const tags: TestTag[] = [...page.tags];
    if (page.chunks.length > 0) {
      tags.push({ tag: stripped ? 273 : 324, type: pointer, values: offsets });
      tags.push({ tag: stripped ? 279 : 325, type: 'long', values: page.chunks.map((chunk) => chunk.length) });
    }
    if (subOffsets.length > 0) tags.push({ tag: 330, type: pointer, values: subOffsets });
    tags.sort((a, b) => a.tag - b.tag);

    const inlineBytes = this.#big ? 8 : 4;
    const entries = tags.map((tag) => {
      const value = this.#encode(tag);
      return { tag, value, at: value.length > inlineBytes ? this.#append(value) : -1 };
    });
    const countBytes = this.#big ? 8 : 2;
    const entryBytes = this.#big ? 20 : 12;
    const offset = this.#append(new Uint8Array(countBytes + entries.length * entryBytes + inlineBytes));
    if (this.#big) this.#view().setBigUint64(offset, BigInt(entries.length), this.#littleEndian);
    else this.#view().setUint16(offset, entries.length, this.#littleEndian);
    for (const [index, { tag, value, at }] of entries.entries()) {
      const base = offset + countBytes + index * entryBytes;
      this.#view().setUint16(base, tag.tag, this.#littleEndian);
      this.#view().setUint16(base + 2, TYPES[tag.type], this.#littleEndian);
      this.#pointer(base + 4, value.length / SIZES[tag.type]);
      if (at < 0) this.#bytes.set(value, base + 4 + inlineBytes);
      else this.#pointer(base + 4 + inlineBytes, at);
    }
    return { offset, nextPointerAt: offset + countBytes + entries.length * entryBytes };
  }

  #encode({ type, values }: TestTag): Uint8Array {
    if (values instanceof Uint8Array) return values;
    if (typeof values === 'string') return new TextEncoder().encode(`${values}\0`);
    const bytes = new Uint8Array(values.length * SIZES[type]);
    const view = new DataView(bytes.buffer);
    for (const [index, value] of values.entries()) {
      const at = index * SIZES[type];
      if (type === 'short') view.setUint16(at, value, this.#littleEndian);
      else if (type === 'long') view.setUint32(at, value, this.#littleEndian);
      else if (type === 'long8') view.setBigUint64(at, BigInt(value), this.#littleEndian);
      else if (type === 'rational') {
        view.setUint32(at, Math.round(value * 1000), this.#littleEndian);
        view.setUint32(at + 4, 1000, this.#littleEndian);
      } else view.setUint8(at, value);
    }
    return bytes;
  }

  #append(bytes: Uint8Array): number {
    const at = this.#length + (this.#length % 2);
    while (at + bytes.length > this.#bytes.length) {
      const larger = new Uint8Array(this.#bytes.length * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, at);
    this.#length = at + bytes.length;
    return at;
  }

  #pointer(at: number, value: number): void {
    if (this.#big) this.#view().setBigUint64(at, BigInt(value), this.#littleEndian);
    else this.#view().setUint32(at, value, this.#littleEndian);
  }

  #view(): DataView {
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset);
  }
}
