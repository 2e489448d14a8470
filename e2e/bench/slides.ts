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
  readonly aim: string;
}

const OUT_PX = 224;
const ROUNDS = 3;

/** Runs the slide benchmark and prints its lines. Needs the real slides; OpenSlide's Python binding for the ratios. */
export async function benchSlides(): Promise<readonly SlideBenchLine[]> {
  const svs = realSlide('aperio/CMU-1-Small-Region.svs');
  const jpeg2000 = realSlide('aperio/TCGA-CR-7395-01A-01-TS1.svs');
  if (svs === null || jpeg2000 === null) {
    console.log('slides: the real slides are not here (HYALINE_DATA); nothing measured');
    return [];
  }
  const peer = await startPeer();
  const lines = [
    await benchTiles(svs, peer),
    await benchRegions('random 224 px regions, level 0', svs, randomRegions(svs, OUT_PX), peer, 'at least 2x'),
    await benchRegions(
      'random regions at 0.5 mpp',
      svs,
      randomRegions(svs, (OUT_PX * 0.5) / 0.499),
      peer,
      'at least 2x',
    ),
    await benchRegions('sweep at 0.5 mpp', svs, sweep((OUT_PX * 0.5) / 0.499), peer, 'at least 2x'),
    await benchRegions('JPEG 2000: sweep of 224 px', jpeg2000, sweep(OUT_PX), peer, 'at least 1x'),
    await benchOpening(svs, peer),
  ];
  peer?.close();
  for (const line of lines) print(line);
  await benchMemory();
  return lines;
}

type Tile = readonly [column: number, row: number];
type Region = readonly [x0Px: number, y0Px: number, extentPx: number];

async function benchTiles(path: string, peer: Peer | null): Promise<SlideBenchLine> {
  const random = seededRandom(3);
  const tiles: Tile[] = Array.from({ length: 100 }, () => [random(9), random(12)]);
  const ours = async (): Promise<number> => {
    const slide = await openSlideSource(path);
    const started = performance.now();
    for (const [column, row] of tiles) await slide.encodedTile(0, column, row);
    const took = performance.now() - started;
    await slide.close();
    return took;
  };
  return compare('tile to viewer', tiles.length, ours, peer, { job: 'tiles', path, tile: 240, tiles }, 'at least 20x');
}

async function benchRegions(
  name: string,
  path: string,
  regions: readonly Region[],
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
  // The application's threads live long: their start and compilation are not part of a region, so the first regions
  // warm them up and do not count.
  const warmUp = batch.regions.slice(0, 24);
  const ours = async (): Promise<number> => {
    const pool = createDecodePool({ slidePath: path, workers: availableParallelism() });
    await pool.readRegions({ ...batch, regions: warmUp });
    const started = performance.now();
    await pool.readRegions({ ...batch, regions: batch.regions.slice(warmUp.length) });
    const took = performance.now() - started;
    await pool.close();
    return (took * batch.regions.length) / (batch.regions.length - warmUp.length);
  };
  return compare(name, regions.length, ours, peer, { job: 'regions', path, out: OUT_PX, regions }, aim);
}

async function benchOpening(path: string, peer: Peer | null): Promise<SlideBenchLine> {
  const times = 30;
  const ours = async (): Promise<number> => {
    const started = performance.now();
    for (let index = 0; index < times; index++) await (await openSlideSource(path)).close();
    return performance.now() - started;
  };
  return compare('opening', times, ours, peer, { job: 'opening', path, times }, 'at least 1x');
}

/** Resident memory while 5,000 random tiles of a 100,000 px BigTIFF are served and as many regions read. */
async function benchMemory(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'hyaline-bench-'));
  try {
    const path = join(folder, 'large.tif');
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
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A BigTIFF of side x side px whose 256 px JPEG tiles are twenty different ones, over and over. */
async function hugeBigTiff(side: number): Promise<Uint8Array> {
  const tiles: Uint8Array[] = [];
  for (let index = 0; index < 20; index++) {
    const data = testPixels(256, 256, index * 37, index * 91);
    tiles.push(await encodeJpeg({ widthPx: 256, heightPx: 256, data }, 80));
  }
  const starts: number[] = [];
  let at = 16;
  for (const tile of tiles) {
    starts.push(at);
    at += tile.length;
  }
  const count = Math.ceil(side / 256) ** 2;
  const page = {
    tags: [
      ...pageTags({ width: side, height: side, tile: 256, compression: 7, photometric: 6 }),
      { tag: 324, type: 'long8', values: Array.from({ length: count }, (_, index) => starts[index % 20] ?? 0) },
      { tag: 325, type: 'long', values: Array.from({ length: count }, (_, index) => tiles[index % 20]?.length ?? 0) },
    ] as const,
    chunks: [Buffer.concat(tiles)],
    stripped: true,
  };
  return buildTiff([page], { big: true });
}

function randomRegions(_path: string, extent: number): readonly Region[] {
  const random = seededRandom(9);
  return Array.from({ length: 120 }, () => [random(2220 - 240), random(2967 - 240), extent]);
}

function sweep(extent: number): readonly Region[] {
  const regions: Region[] = [];
  for (let row = 0; (row + 1) * extent <= 2967; row++) {
    for (let column = 0; (column + 1) * extent <= 2220; column++) {
      regions.push([Math.round(column * extent), Math.round(row * extent), extent]);
    }
  }
  return regions;
}

async function compare(
  name: string,
  count: number,
  ours: () => Promise<number>,
  peer: Peer | null,
  job: object,
  aim: string,
): Promise<SlideBenchLine> {
  const oursMs: number[] = [];
  const theirsMs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    oursMs.push((await ours()) / count);
    if (peer !== null) theirsMs.push(((await peer.ask(job)) * 1000) / count);
  }
  const openSlideMs = peer === null ? null : median(theirsMs);
  const own = median(oursMs);
  return { name, oursMs: own, openSlideMs, ratio: openSlideMs === null ? null : openSlideMs / own, aim };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

function print({ name, oursMs, openSlideMs, ratio, aim }: SlideBenchLine): void {
  const theirs = openSlideMs === null ? 'OpenSlide not here' : `OpenSlide ${openSlideMs.toFixed(2)} ms`;
  const times = ratio === null ? '' : `, ${ratio.toFixed(1)}x`;
  console.log(`${name}: ${oursMs.toFixed(2)} ms, ${theirs}${times} (aim: ${aim})`);
}

/** OpenSlide's Python binding in a process of its own, asked one job at a time. */
interface Peer {
  ask(job: object): Promise<number>;
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
      return (JSON.parse(answer.value) as { seconds: number }).seconds;
    },
    close() {
      child.stdin.end();
      lines.close();
    },
  };
}

if (import.meta.main) await benchSlides();
