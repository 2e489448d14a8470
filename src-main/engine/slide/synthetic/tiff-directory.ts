/** One level of a pyramid as its TIFF directory needs it. */
export interface DirectoryLevel {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly tilePx: number;
  readonly offsets: readonly number[];
  readonly byteCounts: readonly number[];
  /** Micrometres per pixel of this level. */
  readonly mppUm: number;
  /** True for all but the finest. */
  readonly isReduced: boolean;
  readonly description: string;
}

type Kind = 'ascii' | 'short' | 'long' | 'rational' | 'long8';
const CODE: Readonly<Record<Kind, number>> = { ascii: 2, short: 3, long: 4, rational: 5, long8: 16 };
const SIZE: Readonly<Record<Kind, number>> = { ascii: 1, short: 2, long: 4, rational: 8, long8: 8 };

interface Entry {
  readonly tag: number;
  readonly kind: Kind;
  readonly count: number;
  readonly bytes: Buffer;
}

/** The file's first bytes; the offset of the first directory is patched in when it is known. */
export function tiffHeader(isBig: boolean, firstDirectoryOffset: number): Buffer {
  const header = Buffer.alloc(isBig ? 16 : 8);
  header.write('II', 0, 'latin1');
  header.writeUInt16LE(isBig ? 43 : 42, 2);
  if (isBig) {
    header.writeUInt16LE(8, 4);
    header.writeBigUInt64LE(BigInt(firstDirectoryOffset), 8);
  } else header.writeUInt32LE(firstDirectoryOffset, 4);
  return header;
}

/**
 * One directory with its out-of-line values, laid out for the given file offset; `isLast` ends the chain, else the next
 * directory must follow at once. JPEG tiles are whole streams in YCbCr 4:4:4.
 * Source: TIFF 6.0 sections 2, 15, 21 and 22 (with Technical Note 2 for compression 7), BigTIFF design of 2007.
 */
export function tiffDirectory(level: DirectoryLevel, fileOffset: number, isBig: boolean, isLast: boolean): Buffer {
  const entries = directoryEntries(level, isBig).sort((a, b) => a.tag - b.tag);
  const inlineBytes = isBig ? 8 : 4;
  const entryBytes = isBig ? 20 : 12;
  const tableBytes = (isBig ? 8 : 2) + entries.length * entryBytes + inlineBytes;
  const table = Buffer.alloc(tableBytes);
  if (isBig) table.writeBigUInt64LE(BigInt(entries.length), 0);
  else table.writeUInt16LE(entries.length, 0);

  const outside: Buffer[] = [];
  let outsideBytes = 0;
  entries.forEach((entry, index) => {
    const at = (isBig ? 8 : 2) + index * entryBytes;
    table.writeUInt16LE(entry.tag, at);
    table.writeUInt16LE(CODE[entry.kind], at + 2);
    writeWord(table, entry.count, at + 4, isBig);
    const valueAt = at + 4 + inlineBytes;
    if (entry.bytes.length <= inlineBytes) entry.bytes.copy(table, valueAt);
    else {
      writeWord(table, fileOffset + tableBytes + outsideBytes, valueAt, isBig);
      const padded =
        entry.bytes.length % 8 === 0
          ? entry.bytes
          : Buffer.concat([entry.bytes], entry.bytes.length + 8 - (entry.bytes.length % 8));
      outside.push(padded);
      outsideBytes += padded.length;
    }
  });
  if (!isLast) writeWord(table, fileOffset + tableBytes + outsideBytes, tableBytes - inlineBytes, isBig);
  return Buffer.concat([table, ...outside]);
}

function writeWord(buffer: Buffer, value: number, at: number, isBig: boolean): void {
  if (isBig) buffer.writeBigUInt64LE(BigInt(value), at);
  else buffer.writeUInt32LE(value, at);
}

function directoryEntries(level: DirectoryLevel, isBig: boolean): Entry[] {
  const perCentimetre: readonly [number, number] = [Math.round((10_000 / level.mppUm) * 1000), 1000];
  const entries: Entry[] = [
    numbers(254, 'long', [level.isReduced ? 1 : 0]),
    numbers(256, 'long', [level.widthPx]),
    numbers(257, 'long', [level.heightPx]),
    numbers(258, 'short', [8, 8, 8]),
    numbers(259, 'short', [7]),
    numbers(262, 'short', [6]),
    numbers(277, 'short', [3]),
    numbers(282, 'rational', perCentimetre),
    numbers(283, 'rational', perCentimetre),
    numbers(284, 'short', [1]),
    numbers(296, 'short', [3]),
    text(305, 'Hyaline'),
    numbers(322, 'long', [level.tilePx]),
    numbers(323, 'long', [level.tilePx]),
    numbers(324, isBig ? 'long8' : 'long', level.offsets),
    numbers(325, 'long', level.byteCounts),
    numbers(530, 'short', [1, 1]),
    numbers(532, 'rational', [0, 1, 255, 1, 128, 1, 255, 1, 128, 1, 255, 1]),
  ];
  if (level.description !== '') entries.push(text(270, level.description));
  return entries;
}

function text(tag: number, value: string): Entry {
  const bytes = Buffer.from(`${value}\0`, 'latin1');
  return { tag, kind: 'ascii', count: bytes.length, bytes };
}

/** An entry of numbers; a rational takes two of them a value. */
function numbers(tag: number, kind: Exclude<Kind, 'ascii'>, values: readonly number[]): Entry {
  const wordBytes = kind === 'rational' ? 4 : SIZE[kind];
  const bytes = Buffer.alloc(values.length * wordBytes);
  values.forEach((value, index) => {
    if (kind === 'long8') bytes.writeBigUInt64LE(BigInt(value), index * 8);
    else bytes.writeUIntLE(value, index * wordBytes, wordBytes);
  });
  return { tag, kind, count: kind === 'rational' ? values.length / 2 : values.length, bytes };
}
