import { createWriteStream } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { discard, unwritable } from './unwritable.ts';

const BLOCK_CHARS = 2 ** 16;

function* blocksOf(pieces: Iterable<string>): Generator<string> {
  let block = '';
  for (const piece of pieces) {
    block += piece;
    if (block.length >= BLOCK_CHARS) {
      yield block;
      block = '';
    }
  }
  if (block !== '') yield block;
}

/**
 * Writes text piece by piece, in memory that does not grow with the file; gzipped where the name ends in `.gz`. The
 * file appears under its name when it is whole. Missing folders are made.
 * @throws AppError FileUnreadable (the folder cannot be written), DiskFull
 */
export async function writePieces(path: string, pieces: Iterable<string>): Promise<void> {
  const unfinished = `${path}.${process.pid}.part`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const source = Readable.from(blocksOf(pieces));
    const file = createWriteStream(unfinished);
    if (path.endsWith('.gz')) await pipeline(source, createGzip(), file);
    else await pipeline(source, file);
    await rename(unfinished, path);
  } catch (error) {
    discard(unfinished);
    // What the pieces' own source threw says nothing about the file.
    throw error instanceof Error && 'syscall' in error ? unwritable(path, error) : error;
  }
}
