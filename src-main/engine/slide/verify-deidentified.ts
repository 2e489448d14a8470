import { AppError } from '../../../src-shared/errors.ts';
import { type ByteSource, openByteSource } from './byte-source.ts';
import { scrubChunk } from './scrub-chunk.ts';
import type { PageCopy, WrittenRange } from './tiff/rewrite.ts';
import { readTiffFile } from './tiff/tiff-file.ts';
import { readChunkTable, readPage, type TiffPage } from './tiff/tiff-page.ts';

/** Shorter texts occur in compressed pixels by chance: six given bytes in 10 GB do with a probability of 4 in 100,000. */
const SHORTEST_TEXT = 6;
const WINDOW_BYTES = 8 * 1024 * 1024;

/**
 * Proves of a written copy: (1) it consists of the written ranges and nothing else; (2) it has exactly the kept
 * directories, and every tile is byte for byte the original's tile of that directory without its comments; (3) none of
 * the removed texts occurs anywhere. Together: nothing of a removed image or field is left. Throws Internal where it fails.
 */
export async function verifyDeidentified(
  path: string,
  original: ByteSource,
  expected: {
    readonly ranges: readonly WrittenRange[];
    readonly pages: readonly PageCopy[];
    readonly removedTexts: ReadonlySet<string>;
  },
): Promise<void> {
  const copy = await openByteSource(path);
  try {
    checkRanges(expected.ranges, copy.sizeBytes);
    const file = await readTiffFile(copy);
    if (file.ifds.length !== expected.pages.length) throw failed('a directory too many or too few');
    for (const [index, ifd] of file.ifds.entries()) {
      const page = await readPage(ifd, file.layout.littleEndian);
      await checkTiles(copy, page, original, (expected.pages[index] as PageCopy).page);
    }
    await checkTexts(copy, expected.removedTexts);
  } finally {
    await copy.close();
  }
}

function checkRanges(ranges: readonly WrittenRange[], sizeBytes: number): void {
  let at = 0;
  for (const { start, end } of ranges) {
    if (start !== at) throw failed(`unaccounted bytes at ${at}`);
    at = end;
  }
  if (at !== sizeBytes) throw failed(`unaccounted bytes at ${at}`);
}

async function checkTiles(copy: ByteSource, page: TiffPage, original: ByteSource, kept: TiffPage): Promise<void> {
  const written = await readChunkTable(page);
  const wanted = await readChunkTable(kept);
  for (let index = 0; index < page.columns * page.rows; index++) {
    const length = written.byteCounts.at(index);
    if (length === 0) continue;
    const ours = await copy.read(written.offsets.at(index), length);
    const theirs = await original.read(wanted.offsets.at(index), wanted.byteCounts.at(index));
    if (Buffer.compare(ours, scrubChunk(kept, theirs).bytes) !== 0) throw failed(`tile ${index} differs`);
  }
}

/** One pass over the file for all texts at once; windows overlap by the longest text. */
async function checkTexts(copy: ByteSource, texts: ReadonlySet<string>): Promise<void> {
  const needles = [...texts].map((text) => text.trim()).filter((text) => text.length >= SHORTEST_TEXT);
  if (needles.length === 0) return;
  // As the file holds them: UTF-8 bytes, looked at as Latin-1.
  const asBytes = needles.map((text) => Buffer.from(text, 'utf8').toString('latin1'));
  const pattern = new RegExp(asBytes.map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'));
  const overlap = Math.max(...asBytes.map((text) => text.length)) - 1;
  for (let start = 0; start < copy.sizeBytes; start += WINDOW_BYTES) {
    const length = Math.min(WINDOW_BYTES + overlap, copy.sizeBytes - start);
    const window = Buffer.from(await copy.read(start, length)).toString('latin1');
    const found = pattern.exec(window);
    // The text itself may identify the patient: the message says where, not what.
    if (found !== null) throw failed(`a removed text occurs at ${start + found.index}`);
  }
}

function failed(detail: string): AppError {
  return new AppError('Internal', 'The copy did not pass its check and was removed; the original is unchanged.', {
    advice: 'Report it with the details below.',
    detail,
  });
}
