import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { fingerprintSlide } from '../../src-main/engine/slide/fingerprint.ts';
import { openSlideSource } from '../../src-main/engine/slide/open-slide.ts';
import { realSlide } from '../../src-main/engine/testing/real-data.ts';
import { createHandler, type RouteTable } from '../../src-main/engine/tile/handler.ts';
import { SlideImages } from '../../src-main/engine/tile/slide-images.ts';
import { routes } from '../../src-shared/api/routes.ts';
import { AppError } from '../../src-shared/errors.ts';
import { paired } from './paired.ts';

const PYTHON = '/usr/bin/python3';
const ROUNDS = 7;

/**
 * Time per level-0 tile from request to response, all tiles of a slide in one order, against OpenSlide's DeepZoom in the
 * same run. That the pixels are equal is a test (slides.test.ts), not part of this figure.
 */
export async function bench(): Promise<void> {
  const path = realSlide('aperio/CMU-1-Small-Region.svs');
  if (path === null || !existsSync(PYTHON)) {
    console.log('  skipped: needs the real slide and Python with OpenSlide');
    return;
  }
  const source = await openSlideSource(path);
  const id = await fingerprintSlide(path);
  const images = new SlideImages();
  const missing = async (): Promise<never> => {
    throw new AppError('NotFound', 'Not part of this benchmark.');
  };
  const table: RouteTable = {
    tile: async ({ level, column, row }) => {
      const { bytes, mediaType } = await images.tile(id, source, level, column, row);
      return { bytes, mediaType, immutable: true };
    },
    ...{
      correctedTile: missing,
      colourLut: missing,
      thumbnail: missing,
      foundThumbnail: missing,
      associated: missing,
      region: missing,
    },
    ...{ tissue: missing, mapValues: missing, patch: missing, mapDifference: missing, download: missing },
  };
  const handle = createHandler(table);
  const { columns, rows } = source.info.levels[0] ?? { columns: 0, rows: 0 };
  const tiles = Array.from({ length: columns * rows }, (_, i) => [i % columns, Math.floor(i / columns)] as const);
  const ours = async (): Promise<number> => {
    const start = performance.now();
    for (const [column, row] of tiles) await handle({ method: 'GET', path: routes.tile(id, 0, column, row) });
    return (performance.now() - start) / tiles.length;
  };
  const deepZoom = new DeepZoom(path);
  const list = tiles.map((tile) => tile.join(',')).join(' ');
  await ours();
  await deepZoom.serve(list);
  const result = await paired(ROUNDS, ours, () => deepZoom.serve(list));
  deepZoom.close();
  await source.close();
  console.log(`  ${tiles.length} tiles of 240 px, medians of ${ROUNDS} paired rounds`);
  console.log(`  Hyaline ${result.ours.toFixed(3)} ms, OpenSlide DeepZoom ${result.reference.toFixed(3)} ms a tile`);
  console.log(`  ${result.ratio.toFixed(1)} times as fast (aim: 20)`);
}

/** OpenSlide in a Python process that stays open, so that its start does not count. */
class DeepZoom {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: Interface;

  constructor(slidePath: string) {
    this.#child = spawn(PYTHON, [fileURLToPath(new URL('tiles.py', import.meta.url)), slidePath]);
    this.#child.stderr.pipe(process.stderr);
    this.#lines = createInterface(this.#child.stdout);
  }

  /** Milliseconds per tile. */
  async serve(tiles: string): Promise<number> {
    const answered = once(this.#lines, 'line');
    this.#child.stdin.write(`${tiles}\n`);
    const [line] = (await answered) as [string];
    return Number(JSON.parse(line));
  }

  close(): void {
    this.#child.stdin.end();
  }
}
