import { statfs } from 'node:fs/promises';
import { AppError } from '../../../src-shared/errors.ts';
import type { Precision } from '../../../src-shared/model/run.ts';
import { bytesPerValue } from '../store/precision.ts';

/** What SQLite adds to the features: chunk rows, index pages, half-filled pages (measured: 1 to 2 %). */
const OVERHEAD = 1.03;
/** Rows of a run and its grid. */
const BYTES_PER_RUN = 64 * 1024;
/** Kept free for the write-ahead log, maps and other programs. */
const RESERVE_BYTES = 256 * 1024 * 1024;

/** Bytes a store grows by when `tiles` features of length `dim` are added to a run. */
export function featureBytes(tiles: number, dim: number, precision: Precision): number {
  return tiles === 0 ? 0 : Math.ceil(tiles * dim * bytesPerValue(precision) * OVERHEAD) + BYTES_PER_RUN;
}

/** Bytes the disk of a folder has for a store to grow by; as good as endless where the system does not say. */
export async function bytesFreeFor(folder: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return Math.max(0, bavail * bsize - RESERVE_BYTES);
  } catch {
    return Number.MAX_SAFE_INTEGER;
  }
}

/** @throws AppError DiskFull, before anything is written, where the disk cannot hold what is planned. */
export function refuseWhenFull(bytesNeeded: number, bytesFree: number): void {
  if (bytesNeeded <= bytesFree) return;
  const sentence = `The features need about ${gigabytes(bytesNeeded)} GB, but the disk of the store has ${gigabytes(bytesFree)} GB for them.`;
  throw new AppError('DiskFull', sentence, {
    advice: 'Free some space, store on another disk, take fewer backbones or larger tiles, or store at half precision.',
  });
}

const gigabytes = (bytes: number): string => (bytes / 1e9).toFixed(bytes < 1e9 ? 3 : 1);
