import { AppError, type ErrorCode } from '../../../src-shared/errors.ts';
import { openFromBytes } from './open-slide.ts';
import type { SlideSource } from './slide-source.ts';
import { memorySource } from './test-files.ts';

/** What may be said of a broken file; everything else is a fault of the reader. */
export const HONEST_CODES: readonly ErrorCode[] = ['NotASlide', 'SlideDamaged', 'SlideFormatUnsupported', 'NotFound'];

const INTERESTING = [0, 1, 2, 7, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];

/** A small, fast generator of 32-bit numbers (mulberry32) for reproducible mutations. */
export function seededRandom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % Math.max(1, below);
  };
}

/** One to eight edits of a file: flipped bits, interesting numbers at any width, moved blocks, cut or zeroed tails. */
export function mutate(original: Uint8Array, seed: number): Uint8Array {
  const random = seededRandom(seed);
  let bytes = original.slice();
  const edits = 1 + random(8);
  for (let edit = 0; edit < edits; edit++) {
    const at = random(bytes.length);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const value = INTERESTING[random(INTERESTING.length)] ?? 0;
    switch (random(7)) {
      case 0:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
        break;
      case 1:
        bytes[at] = random(256);
        break;
      case 2:
        if (at + 4 <= bytes.length) view.setUint32(at, value, random(2) === 0);
        break;
      case 3:
        if (at + 2 <= bytes.length) view.setUint16(at, value, random(2) === 0);
        break;
      case 4:
        bytes.copyWithin(at, random(bytes.length), random(bytes.length));
        break;
      case 5:
        bytes.fill(value & 255, at, at + random(64));
        break;
      default:
        if (edit === 0 && random(4) === 0) bytes = bytes.slice(0, Math.max(1, at));
    }
  }
  return bytes;
}

/** As `mutate`, with all edits in the 4 KiB from one of these places on: for large files with small directories. */
export function mutateNear(original: Uint8Array, seed: number, places: readonly number[]): Uint8Array {
  const at = places[seededRandom(seed)(places.length)] ?? 0;
  const bytes = original.slice();
  bytes.set(mutate(original.subarray(at, at + 4096), seed), at);
  return bytes;
}

/** Opens the bytes as a slide and uses every part of it. Returns the codes of the errors met; rethrows what is no AppError. */
export async function exercise(
  bytes: Uint8Array,
  open = () => openFromBytes('fuzz', memorySource(bytes)),
): Promise<readonly ErrorCode[]> {
  const met: ErrorCode[] = [];
  const attempt = async <T>(work: () => Promise<T>): Promise<T | null> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      met.push(error.code);
      return null;
    }
  };
  const slide = await attempt(open);
  if (slide === null) return met;
  await useEverything(slide, attempt);
  await slide.close();
  return met;
}

async function useEverything(
  slide: SlideSource,
  attempt: <T>(work: () => Promise<T>) => Promise<T | null>,
): Promise<void> {
  for (const [level, { columns, rows }] of slide.info.levels.entries()) {
    await attempt(() => slide.encodedTile(level, 0, 0));
    await attempt(() => slide.readTile(level, columns - 1, rows - 1));
    await attempt(() => slide.readLevelRegion(level, -5, -5, 40, 40));
  }
  const { widthPx, heightPx } = slide.info;
  const region = { x0Px: widthPx / 3, y0Px: heightPx / 3, widthLevel0Px: 50.5, heightLevel0Px: 50.5 };
  await attempt(() => slide.readRegion({ ...region, outWidthPx: 32, outHeightPx: 32 }));
  for (const { name } of slide.info.associated.slice(0, 4)) await attempt(() => slide.associated(name));
  await attempt(() => slide.iccProfile());
}
