import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { AppError } from '../../../../src-shared/errors.ts';
import { type LesionMask, writeLesionMask } from './lesion-mask.ts';
import { type LevelSize, levelSizes, ReducedLevels, TILE_PX } from './pyramid.ts';
import { makeScene, type SceneOptions } from './scene.ts';
import { type DirectoryLevel, tiffDirectory, tiffHeader } from './tiff-directory.ts';
import { makeTiles } from './tile-factory.ts';

export const MAX_SIDE_PX = 100_000;
const DEFAULT_MPP_UM = 0.5;
const QUALITY = 85;
/** Slides of more pixels than this become BigTIFF: they could outgrow the 4 GiB of a classic file. */
const BIG_FROM_PX = 2 ** 32;

export interface SyntheticOptions {
  readonly outPath: string;
  readonly widthPx: number;
  readonly heightPx: number;
  /** Any whole number; the slide is a pure function of size, mpp, lesions and seed. */
  readonly seed: number;
  /** How many lesions to plant; 0 for a healthy slide. */
  readonly lesions: number;
  /** Micrometres per level-0 pixel; 0.5 unless told. */
  readonly mpp?: number;
  /** Rendering threads; 1 (this thread) unless told. The file does not depend on it. */
  readonly threads?: number;
  /** BigTIFF whatever the size; else only where the slide could outgrow a classic file. */
  readonly bigTiff?: boolean;
  /** Level-0 tiles done, of how many. */
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

export interface SyntheticResult {
  readonly path: string;
  /** The true lesion mask beside the slide (`NAME.lesions.png`); null where no lesion was planted. */
  readonly lesionMaskPath: string | null;
  /** Micrometres per pixel of the lesion mask. */
  readonly lesionMaskMpp: number | null;
  readonly levels: readonly LevelSize[];
  readonly sizeBytes: number;
}

/**
 * Writes a synthetic H&E slide as a tiled, pyramidal TIFF (BigTIFF where large) with JPEG tiles, tile by tile: memory
 * grows with the width of the slide only. The file appears under its name when it is whole.
 * @throws AppError InvalidRequest for impossible sizes, Cancelled, DiskFull, FileUnreadable where the folder is not writable.
 */
export async function writeSynthetic(options: SyntheticOptions): Promise<SyntheticResult> {
  const scene = checked(options);
  const partial = `${options.outPath}.partial`;
  const maskPath = `${options.outPath.replace(/\.tiff?$/i, '')}.lesions.png`;
  try {
    const written = await writePyramid(partial, scene, options);
    let mask: LesionMask | null = null;
    if (scene.lesions > 0) mask = await writeLesionMask(makeScene(scene), maskPath);
    await rename(partial, options.outPath);
    return {
      path: options.outPath,
      lesionMaskPath: mask?.path ?? null,
      lesionMaskMpp: mask?.mppUm ?? null,
      ...written,
    };
  } catch (error) {
    await rm(partial, { force: true });
    throw asAppError(error);
  }
}

async function writePyramid(
  path: string,
  scene: SceneOptions,
  { threads = 1, bigTiff = false, onProgress, signal }: SyntheticOptions,
): Promise<{ levels: readonly LevelSize[]; sizeBytes: number }> {
  const isBig = bigTiff || scene.widthPx * scene.heightPx > BIG_FROM_PX;
  const file = await open(path, 'w');
  try {
    const writer = new TileWriter(file, isBig);
    const sizes = levelSizes(scene.widthPx, scene.heightPx);
    const reduced = new ReducedLevels(sizes, QUALITY, (level, jpeg) => writer.add(level, jpeg));
    const columns = Math.ceil(scene.widthPx / TILE_PX);
    const total = columns * Math.ceil(scene.heightPx / TILE_PX);
    let index = 0;
    for await (const tile of makeTiles(scene, QUALITY, threads)) {
      if (signal?.aborted) throw new AppError('Cancelled', 'Making the synthetic slide was cancelled.');
      writer.add(0, tile.jpeg);
      reduced.put(index % columns, tile.half);
      index++;
      if (index % columns === 0) reduced.endRow(index / columns - 1);
      await writer.flush(false);
      onProgress?.(index, total);
    }
    return { levels: sizes, sizeBytes: await writer.finish(sizes, scene) };
  } finally {
    await file.close();
  }
}

const FLUSH_BYTES = 4 << 20;

/** Appends tiles to the file and remembers where they went. */
class TileWriter {
  readonly #file: FileHandle;
  readonly #isBig: boolean;
  readonly #places = new Map<number, { offsets: number[]; byteCounts: number[] }>();
  #chunks: Uint8Array[] = [];
  #chunkBytes = 0;
  #offset: number;

  constructor(file: FileHandle, isBig: boolean) {
    this.#file = file;
    this.#isBig = isBig;
    const header = tiffHeader(isBig, 0);
    this.#chunks.push(header);
    this.#chunkBytes = header.length;
    this.#offset = header.length;
  }

  add(level: number, jpeg: Uint8Array): void {
    const places = this.#places.get(level) ?? { offsets: [], byteCounts: [] };
    this.#places.set(level, places);
    places.offsets.push(this.#offset);
    places.byteCounts.push(jpeg.length);
    this.#append(jpeg);
    if (jpeg.length % 2 === 1) this.#append(new Uint8Array(1));
  }

  async flush(isForced: boolean): Promise<void> {
    if (this.#chunkBytes === 0 || (!isForced && this.#chunkBytes < FLUSH_BYTES)) return;
    const bytes = Buffer.concat(this.#chunks);
    this.#chunks = [];
    this.#chunkBytes = 0;
    await this.#file.appendFile(bytes);
  }

  /** Writes the directories and the header; returns the file's size in bytes. */
  async finish(sizes: readonly LevelSize[], scene: SceneOptions): Promise<number> {
    const firstDirectory = this.#offset;
    sizes.forEach((size, level) => {
      const places = this.#places.get(level) ?? { offsets: [], byteCounts: [] };
      const entry: DirectoryLevel = {
        ...size,
        ...places,
        tilePx: TILE_PX,
        mppUm: scene.mppUm * (scene.widthPx / size.widthPx),
        isReduced: level > 0,
        description: level === 0 ? describe(scene) : '',
      };
      this.#append(tiffDirectory(entry, this.#offset, this.#isBig, level === sizes.length - 1));
    });
    await this.flush(true);
    const header = tiffHeader(this.#isBig, firstDirectory);
    await this.#file.write(header, 0, header.length, 0);
    await this.#file.sync();
    return this.#offset;
  }

  #append(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#chunkBytes += bytes.length;
    this.#offset += bytes.length;
  }
}

function describe(scene: SceneOptions): string {
  const { widthPx, heightPx, mppUm, seed, lesions } = scene;
  return `Hyaline synthetic H&E slide, no patient|${widthPx}x${heightPx}|MPP = ${mppUm}|Seed = ${seed}|Lesions = ${lesions}`;
}

function checked(options: SyntheticOptions): SceneOptions {
  const { widthPx, heightPx, seed, lesions, mpp = DEFAULT_MPP_UM } = options;
  const isSide = (side: number): boolean => Number.isInteger(side) && side >= 1 && side <= MAX_SIDE_PX;
  const isValid =
    isSide(widthPx) &&
    isSide(heightPx) &&
    Number.isInteger(seed) &&
    Number.isInteger(lesions) &&
    lesions >= 0 &&
    lesions <= 200 &&
    mpp >= 0.1 &&
    mpp <= 4;
  if (isValid) return { widthPx, heightPx, seed, lesions, mppUm: mpp };
  throw new AppError('InvalidRequest', 'A synthetic slide of this kind cannot be made.', {
    advice: `Width and height: whole numbers from 1 to ${MAX_SIDE_PX}; lesions: 0 to 200; mpp: 0.1 to 4; seed: a whole number.`,
    detail: JSON.stringify({ widthPx, heightPx, seed, lesions, mpp }),
  });
}

function asAppError(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : '';
  if (code === 'ENOSPC') {
    return new AppError('DiskFull', 'The disk is full; the synthetic slide was not written.', {
      advice: 'Free some space or choose another place.',
      cause: error,
    });
  }
  if (code === 'ENOENT' || code === 'EACCES' || code === 'EROFS' || code === 'EPERM') {
    return new AppError('FileUnreadable', 'The synthetic slide cannot be written at this place.', {
      advice: 'Choose a folder that exists and that you may write to.',
      cause: error,
    });
  }
  return error;
}
