import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { encodeJpeg } from '../../src-main/engine/codec/jpeg.ts';
import { createDecodePool } from '../../src-main/engine/slide/decode-pool.ts';
import { seededRandom } from '../../src-main/engine/slide/fuzz.ts';
import { openSlideSource } from '../../src-main/engine/slide/open-slide.ts';
import { testPixels } from '../../src-main/engine/slide/test-files.ts';
import { buildTiff, pageTags } from '../../src-main/engine/slide/tiff/test-tiff.ts';
import { realSlide } from '../../src-main/engine/testing/real-data.ts';

/** One line of the benchmark: ours against OpenSlide's seconds for the same work, alternating in one run. */
export interface SlideBenchLine {
  readonly name: string;
  readonly oursMs: number;
  readonly openSlideMs: number | null;
  /** OpenSlide's time over ours; null without OpenSlide's Python binding. */
  readonly ratio: number | null;
  /** The same of processor time over all threads: what counts on a machine that is busy with something else. */
  readonly cpuRatio: number | null;
  readonly aim: string;
}

/** Threads of either side in the lines about regions; the other lines are one thread's work on both. */
const THREADS = [...new Set([1, availableParallelism()])];
const OUT_PX = 224;
const ROUNDS = 3;
const MOSAIC_PX = 9600;

/** Runs the slide benchmark and prints its lines. Needs the real slides; OpenSlide's Python binding for the ratios. */
export async function benchSlides(): Promise<readonly SlideBenchLine[]> {
  const svs = realSlide('aperio/CMU-1-Small-Region.svs');
  const jpeg2000 = realSlide('aperio/TCGA-CR-7395-01A-01-TS1.svs');
  if (svs === null || jpeg2000 === null) {
    console.log('slides: the real slides are not here (HYALINE_DATA); nothing measured');
    return [];
  }
  const folder = mkdtempSync(join(tmpdir(), 'hyaline-bench-'));
  try {
    return await measure(svs, jpeg2000, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(svs: string, jpeg2000: string, folder: string): Promise<readonly SlideBenchLine[]> {
  const peer = await startPeer();
  const mosaic = join(folder, 'mosaic.tif');
  writeFileSync(mosaic, await tileMosaic(svs));
  const half = (OUT_PX * 0.5) / 0.499;
  const lines = [await benchTiles(svs, peer)];
  for (const threads of THREADS) {
    const regions = (name: string, path: string, places: readonly Region[], aim: string): Promise<SlideBenchLine> =>
      benchRegions(`${name}, ${threads} thread${threads > 1 ? 's' : ''} each`, path, places, threads, peer, aim);
    lines.push(
      await regions('random 224 px regions at level 0', mosaic, randomRegions(OUT_PX), 'at least 2x'),
      await regions('random 224 px regions at 0.5 mpp', mosaic, randomRegions(half), 'at least 2x'),
      await regions('sweep of tissue tiles at 0.5 mpp', mosaic, sweep(half, MOSAIC_PX, 60), 'at least 2x'),
      await regions('JPEG 2000, sweep of 224 px tiles', jpeg2000, sweep(OUT_PX, 4443, 100), 'at least 1x'),
    );
  }
  lines.push(await benchOpening(svs, peer));
  peer?.close();
  for (const line of lines) print(line);
  await benchMemory(join(folder, 'large.tif'));
  return lines;
}

type Tile = readonly [column: number, row: number];
type Region = readonly [x0Px: number, y0Px: number, extentPx: number];

async function benchTiles(path: string, peer: Peer | null): Promise<SlideBenchLine> {
  const random = seededRandom(3);
  const tiles: Tile[] = Array.from({ length: 100 }, () => [random(9), random(12)]);
  const ours = async (): Promise<Took> => {
    const slide = await openSlideSource(path);
    const result = await took(async () => {
      for (const [column, row] of tiles) await slide.encodedTile(0, column, row);
    });
    await slide.close();
    return result;
  };
  return compare('tile to viewer', tiles.length, ours, peer, { job: 'tiles', path, tile: 240, tiles }, 'at least 20x');
}

async function benchRegions(
  name: string,
  path: string,
  regions: readonly Region[],
  threads: number,
  peer: Peer | null,
  aim: string,
): Promise<SlideBenchLine> {
  const batch = {
    regions: regions.map(([x0Px, y0Px, extent]) => ({ x0Px, y0Px, widthLevel0Px: extent, heightLevel0Px: extent })),
    outWidthPx: OUT_PX,
    outHeightPx: OUT_PX,
    output: new SharedArrayBuffer(regions.length * OUT_PX * OUT_PX * 3),
    offset: 0,
  };
  // The application's threads live long: their start and compilation are not part of a region. They warm up on the
  // last third of the regions, which lie elsewhere.
  const count = Math.floor((regions.length * 2) / 3);
  const ours = async (): Promise<Took> => {
    const pool = createDecodePool({ slidePath: path, workers: threads });
    await pool.readRegions({ ...batch, regions: batch.regions.slice(count) });
    const result = await took(() => pool.readRegions({ ...batch, regions: batch.regions.slice(0, count) }));
    await pool.close();
    return result;
  };
  const job = { job: 'regions', path, out: OUT_PX, threads, regions: regions.slice(0, count) };
  return compare(name, count, ours, peer, job, aim);
}

async function benchOpening(path: string, peer: Peer | null): Promise<SlideBenchLine> {
  const times = 30;
  const ours = (): Promise<Took> =>
    took(async () => {
      for (let index = 0; index < times; index++) await (await openSlideSource(path)).close();
    });
  return compare('opening', times, ours, peer, { job: 'opening', path, times }, 'at least 1x');
}

/** Resident memory while 5,000 random tiles of a 100,000 px BigTIFF are served and as many regions read. */
async function benchMemory(path: string): Promise<void> {
  writeFileSync(path, await hugeBigTiff(100_000));
  const slide = await openSlideSource(path);
  await slide.encodedTile(0, 0, 0);
  const before = process.memoryUsage().rss;
  const random = seededRandom(5);
  let peak = 0;
  for (let index = 0; index < 5_000; index++) {
    await slide.encodedTile(0, random(390), random(390));
    if (index % 10 === 0) await slide.readTile(0, random(390), random(390));
    if (index % 50 === 0) peak = Math.max(peak, process.memoryUsage().rss - before);
  }
  await slide.close();
  console.log(
    `memory growth while serving 5,000 tiles of 100,000 px: ${(peak / 2 ** 20).toFixed(0)} MB (aim: under 300)`,
  );
}

/** The tiles of a real slide laid out again and again as one of `MOSAIC_PX`: too large for any cache to hold. */
async function tileMosaic(path: string): Promise<Uint8Array> {
  const slide = await openSlideSource(path);
  const tiles: Uint8Array[] = [];
  for (let row = 0; row < 12; row++) {
    for (let column = 0; column < 9; column++) {
      tiles.push((await slide.encodedTile(0, column, row))?.bytes ?? new Uint8Array(0));
    }
  }
  await slide.close();
  const columns = MOSAIC_PX / 240;
  return repeatedTiles(MOSAIC_PX, 240, tiles, (index) => {
    const [column, row] = [index % columns, Math.floor(index / columns)];
    return (row % 12) * 9 + (column % 9);
  });
}

/** A BigTIFF of side x side px whose 256 px JPEG tiles are twenty different ones, over and over. */
async function hugeBigTiff(side: number): Promise<Uint8Array> {
  const tiles: Uint8Array[] = [];
  for (let index = 0; index < 20; index++) {
    const data = testPixels(256, 256, index * 37, index * 91);
    tiles.push(await encodeJpeg({ widthPx: 256, heightPx: 256, data }, 80));
  }
  return repeatedTiles(side, 256, tiles, (index) => index % tiles.length);
}

/** A BigTIFF whose table points to the same few tiles over and over; `pick` says which. */
function repeatedTiles(
  side: number,
  tile: number,
  tiles: readonly Uint8Array[],
  pick: (index: number) => number,
): Uint8Array {
  const starts: number[] = [];
  let at = 16;
  for (const bytes of tiles) {
    starts.push(at);
    at += bytes.length;
  }
  const chosen = Array.from({ length: Math.ceil(side / tile) ** 2 }, (_, index) => pick(index));
  // The SVS stores RGB, and says so in each stream's Adobe marker; the tiles made here are YCbCr.
  const photometric = Buffer.from(tiles[0] ?? []).includes('Adobe') ? 2 : 6;
  const page = {
    tags: [
      ...pageTags({ width: side, height: side, tile, compression: 7, photometric }),
      { tag: 324, type: 'long8', values: chosen.map((index) => starts[index] ?? 0) },
      { tag: 325, type: 'long', values: chosen.map((index) => tiles[index]?.length ?? 0) },
    ] as const,
    chunks: [Buffer.concat(tiles)],
    stripped: true,
  };
  return buildTiff([page], { big: true });
}

function randomRegions(extent: number): readonly Region[] {
  const random = seededRandom(9);
  return Array.from({ length: 300 }, () => [random(MOSAIC_PX - 240), random(MOSAIC_PX - 240), extent]);
}

/** Nine rows of neighbouring regions, row by row; the last three are for the warm-up. */
function sweep(extent: number, widthPx: number, perRow: number): readonly Region[] {
  const columns = Math.min(perRow, Math.floor(widthPx / extent));
  return Array.from({ length: columns * 9 }, (_, index) => [
    (index % columns) * extent,
    Math.floor(index / columns) * extent,
    extent,
  ]);
}

/** Milliseconds of one side of a comparison. */
interface Took {
  readonly wallMs: number;
  readonly cpuMs: number;
}

/** Wall and processor time of some work of ours. */
async function took(work: () => Promise<void>): Promise<Took> {
  const cpu = process.cpuUsage();
  const started = performance.now();
  await work();
  const wallMs = performance.now() - started;
  const { user, system } = process.cpuUsage(cpu);
  return { wallMs, cpuMs: (user + system) / 1000 };
}

async function compare(
  name: string,
  count: number,
  ours: () => Promise<Took>,
  peer: Peer | null,
  job: object,
  aim: string,
): Promise<SlideBenchLine> {
  const own: Took[] = [];
  const theirs: Took[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    own.push(await ours());
    if (peer !== null) theirs.push(await peer.ask(job));
  }
  const wall = (side: readonly Took[]): number => median(side.map(({ wallMs }) => wallMs)) / count;
  const cpu = (side: readonly Took[]): number => median(side.map(({ cpuMs }) => cpuMs)) / count;
  const measured = theirs.length > 0;
  return {
    name,
    oursMs: wall(own),
    openSlideMs: measured ? wall(theirs) : null,
    ratio: measured ? wall(theirs) / wall(own) : null,
    cpuRatio: measured ? cpu(theirs) / cpu(own) : null,
    aim,
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

function print({ name, oursMs, openSlideMs, ratio, cpuRatio, aim }: SlideBenchLine): void {
  const theirs = openSlideMs === null ? 'OpenSlide not here' : `OpenSlide ${openSlideMs.toFixed(2)} ms`;
  const times = ratio === null ? '' : `, ${ratio.toFixed(1)}x, by processor time ${cpuRatio?.toFixed(1)}x`;
  console.log(`${name}: ${oursMs.toFixed(2)} ms, ${theirs}${times} (aim: ${aim})`);
}

/** OpenSlide's Python binding in a process of its own, asked one job at a time. */
interface Peer {
  ask(job: object): Promise<Took>;
  close(): void;
}

async function startPeer(): Promise<Peer | null> {
  const python = [process.env.HYALINE_PYTHON, 'python3', '/usr/bin/python3'].find(
    (name) => name !== undefined && spawnSync(name, ['-c', 'import openslide']).status === 0,
  );
  if (python === undefined) return null;
  const script = fileURLToPath(new URL('./slides.openslide.py', import.meta.url));
  const child: ChildProcessByStdio<Writable, Readable, null> = spawn(python, [script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines: Interface = createInterface({ input: child.stdout });
  const answers = lines[Symbol.asyncIterator]();
  await answers.next();
  return {
    async ask(job) {
      child.stdin.write(`${JSON.stringify(job)}\n`);
      const answer = await answers.next();
      if (answer.done === true) throw new Error('the OpenSlide process ended');
      const { seconds, cpu } = JSON.parse(answer.value) as { seconds: number; cpu: number };
      return { wallMs: seconds * 1000, cpuMs: cpu * 1000 };
    },
    close() {
      child.stdin.end();
      lines.close();
    },
  };
}

/** `benchSlides` as a part of `npm run bench`. */
export async function bench(): Promise<void> {
  await benchSlides();
}
