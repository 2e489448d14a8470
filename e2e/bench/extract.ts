import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { randomResNet18Card } from '../../src-main/engine/backbone/random-resnet18.ts';
import { backbonePath, ensureBuiltIns } from '../../src-main/engine/backbone/registry.ts';
import { cutModel } from '../../src-main/engine/graph/cut.ts';
import { encodeModel } from '../../src-main/engine/graph/proto.ts';
import { type LaidGrid, tileRef } from '../../src-main/engine/grid/laid-grid.ts';
import { chunkTiles, extractPass } from '../../src-main/engine/infer/extract-pass.ts';
import { InferenceWorker } from '../../src-main/engine/infer/inference-worker.ts';
import { readModelFile } from '../../src-main/engine/infer/model-file.ts';
import { loadRuntime, openSession, type Session } from '../../src-main/engine/infer/runtime.ts';
import { createDecodePool } from '../../src-main/engine/slide/decode-pool.ts';
import { realSlide } from '../../src-main/engine/testing/real-data.ts';
import { otsuAgreement, REFERENCE_SLIDES } from '../../src-main/engine/tissue/testing/otsu-agreement.ts';
import type { BackboneCard, CutPoint } from '../../src-shared/model/backbone.ts';
import { asId } from '../../src-shared/model/ids.ts';
import { DEFAULT_GRID, DEFAULT_TISSUE } from '../../src-shared/model/run.ts';
import { median } from './paired.ts';

const BATCH = 16;
const TILE_PX = 224;

export interface ExtractBench {
  readonly slide: string;
  readonly tiles: number;
  readonly threads: number;
  /** Tiles per second, medians over the rounds. */
  readonly endToEnd: number;
  readonly modelAlone: number;
  /** OpenSlide, torchvision and PyTorch with as many threads; null where they are not installed. */
  readonly python: number | null;
  /** Tiles read and resampled per second without a model, one decode thread a core. */
  readonly decodeOnly: number;
  /** Medians of the rounds' own ratios (each round runs both, one after the other). */
  readonly overModelAlone: number;
  readonly overPython: number | null;
  /** Seconds of three passes over seconds of one: three networks, and three cuts of one network. */
  readonly threeBackbones: number;
  readonly threeCuts: number;
}

/** Every tile of a slide's rectangle, overlapping by half so that a small slide gives enough of them. */
function denseGrid(widthPx: number, heightPx: number, tileCount: number): LaidGrid {
  const stridePx = TILE_PX / 2;
  const columns = Math.floor((widthPx - TILE_PX) / stridePx) + 1;
  const rows = Math.floor((heightPx - TILE_PX) / stridePx) + 1;
  const count = Math.min(tileCount, columns * rows);
  return {
    grid: {
      id: asId('bench'),
      slideId: asId('bench'),
      spec: { ...DEFAULT_GRID, strideUm: 56 },
      tissue: DEFAULT_TISSUE,
      columns,
      rows,
      tileLevel0Px: TILE_PX,
      strideLevel0Px: stridePx,
      tileCount: count,
      droppedCount: 0,
    },
    columns: Uint32Array.from({ length: count }, (_, i) => i % columns),
    rows: Uint32Array.from({ length: count }, (_, i) => Math.floor(i / columns)),
  };
}

/** Tiles per second of the bare session on ready-made input: what the device can do at best. */
async function modelAlone(session: Session, tiles: number): Promise<number> {
  const { Tensor } = await loadRuntime();
  const values = Float32Array.from({ length: BATCH * 3 * TILE_PX * TILE_PX }, (_, i) => ((i * 31) % 255) / 128 - 1);
  const feeds = { input: new Tensor('float32', values, [BATCH, 3, TILE_PX, TILE_PX]) };
  await session.run(feeds);
  const runs = Math.ceil(tiles / BATCH);
  const start = performance.now();
  for (let i = 0; i < runs; i += 1) await session.run(feeds);
  return (runs * BATCH * 1000) / (performance.now() - start);
}

/** A Python process that measures the same tiles; null where its packages are missing. */
class PythonPipeline {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  private constructor(process: ChildProcessByStdio<Writable, Readable, null>) {
    this.#process = process;
    this.#lines = createInterface({ input: process.stdout })[Symbol.asyncIterator]();
  }

  static async start(slidePath: string, laid: LaidGrid, threads: number): Promise<PythonPipeline | null> {
    const script = fileURLToPath(new URL('extract.torch.py', import.meta.url));
    const { columns, strideLevel0Px } = laid.grid;
    const args = [script, slidePath, columns, strideLevel0Px, threads].map(String);
    const pipeline = new PythonPipeline(spawn('/usr/bin/python3', args, { stdio: ['pipe', 'pipe', 'ignore'] }));
    return (await pipeline.measure(BATCH)) === null ? null : pipeline;
  }

  /** Tiles per second. */
  async measure(tiles: number): Promise<number | null> {
    this.#process.stdin.on('error', () => undefined);
    this.#process.stdin.write(`${tiles}\n`);
    const { value, done } = await this.#lines.next();
    return done === true ? null : Number(value);
  }

  stop(): void {
    this.#process.stdin.end();
  }
}

/** What the measurements of one slide share. */
interface Setting {
  readonly slidePath: string;
  readonly laid: LaidGrid;
  readonly modelPath: string;
  readonly card: BackboneCard;
  readonly threads: number;
  readonly worker: InferenceWorker;
}

/**
 * Tiles per second of a pass for each group of cuts given (one group = one session). The first chunk also pays for
 * opening the slide and the sessions and does not count: a slide has hundreds of chunks.
 */
async function endToEnd(setting: Setting, groups: readonly (readonly CutPoint[])[]): Promise<number> {
  const { modelPath, card, worker, ...rest } = setting;
  const chunk = chunkTiles(BATCH);
  let beganMs = 0;
  const backbones = groups.map((cuts) => {
    return { modelPath, card, cuts: cuts.map((cut) => ({ cut, firstTile: 0, onChunk: () => Promise.resolve() })) };
  });
  await extractPass({
    ...rest,
    worker,
    backbones,
    batchSize: BATCH,
    onProgress: (done) => {
      if (done === chunk) beganMs = performance.now();
    },
  });
  return ((setting.laid.grid.tileCount - chunk) * 1000) / (performance.now() - beganMs);
}

/** Seconds of three passes, one after the other, over seconds of one pass that does the same. */
async function threeInOne(setting: Setting, groups: readonly (readonly CutPoint[])[]): Promise<number> {
  const secondsOf = async (passes: readonly (readonly (readonly CutPoint[])[])[]): Promise<number> => {
    let seconds = 0;
    for (const pass of passes) seconds += 1 / (await endToEnd(setting, pass));
    return seconds;
  };
  const apart = groups.flat().map((cut) => [[cut]]);
  const together = await secondsOf([groups]);
  return (await secondsOf(apart)) / together;
}

/** Tiles read and resampled per second by one decode thread a core. */
async function decodeOnly({ slidePath, laid }: Setting): Promise<number> {
  const pool = createDecodePool({ slidePath, workers: availableParallelism() });
  const output = new SharedArrayBuffer(laid.grid.tileCount * TILE_PX * TILE_PX * 3);
  const size = { widthLevel0Px: TILE_PX, heightLevel0Px: TILE_PX };
  const regions = Array.from({ length: laid.grid.tileCount }, (_, i) => ({ ...tileRef(laid, i), ...size }));
  const batch = { regions, outWidthPx: TILE_PX, outHeightPx: TILE_PX, output, offset: 0 };
  try {
    await pool.readRegions({ ...batch, regions: regions.slice(0, BATCH) });
    const beganMs = performance.now();
    await pool.readRegions(batch);
    return (laid.grid.tileCount * 1000) / (performance.now() - beganMs);
  } finally {
    await pool.close();
  }
}

/**
 * Extraction of a real slide with the built-in ResNet18, from the compressed file to features, against the same network
 * alone in onnxruntime and against the usual Python pipeline; all with all cores, in paired rounds.
 *
 * @returns null where the real slide is not there.
 */
export async function benchExtract(options: { rounds?: number; tiles?: number } = {}): Promise<ExtractBench | null> {
  const { rounds = 3, tiles = 192 } = options;
  const slide = 'aperio/CMU-1-Small-Region.svs';
  const slidePath = realSlide(slide);
  if (slidePath === null) return null;
  const folder = await mkdtemp(join(tmpdir(), 'hyaline-bench-'));
  const worker = new InferenceWorker();
  const threads = availableParallelism();
  const laid = denseGrid(2220, 2967, tiles);
  const python = await PythonPipeline.start(slidePath, laid, threads);
  try {
    const [card = randomResNet18Card()] = await ensureBuiltIns(folder, worker);
    const cutNamed = (name: string): CutPoint => {
      const found = card.cuts.find((cut) => cut.name === name);
      if (!found) throw new Error(`the built-in backbone has no cut ${name}`);
      return found;
    };
    const modelPath = backbonePath(folder, card.id);
    const setting: Setting = { slidePath, laid, modelPath, card, threads, worker };
    const cut = cutNamed('layer4');
    const bare = cutModel(await readModelFile(modelPath), [{ ...cut, output: 'features' }]);
    const session = await openSession({ model: encodeModel(bare), provider: 'cpu', threads });
    const figures: { ours: number; alone: number; python: number | null }[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const alone = await modelAlone(session, tiles);
      const ours = await endToEnd(setting, [[cut]]);
      figures.push({ ours, alone, python: (await python?.measure(tiles)) ?? null });
    }
    await session.release();
    const slow = figures.flatMap((figure) => (figure.python === null ? [] : [figure.python]));
    const few: Setting = { ...setting, laid: denseGrid(2220, 2967, 128) };
    const early = ['stem', 'stem', 'stem'].map(cutNamed);
    return {
      slide,
      tiles,
      threads,
      endToEnd: median(figures.map(({ ours }) => ours)),
      modelAlone: median(figures.map(({ alone }) => alone)),
      python: slow.length === 0 ? null : median(slow),
      decodeOnly: await decodeOnly(setting),
      overModelAlone: median(figures.map(({ ours, alone }) => ours / alone)),
      overPython:
        slow.length === 0 ? null : median(figures.map((figure) => figure.ours / (figure.python ?? Number.NaN))),
      threeBackbones: await threeInOne(
        few,
        early.map((stem) => [stem]),
      ),
      threeCuts: await threeInOne(few, [['layer2', 'layer3', 'layer4'].map(cutNamed)]),
    };
  } finally {
    python?.stop();
    await worker.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Lines for the console. */
export function describeExtract(bench: ExtractBench): readonly string[] {
  const figure = (value: number): string => value.toFixed(1);
  const { endToEnd: ours, modelAlone: alone, python, overPython } = bench;
  return [
    `ResNet18, ${bench.slide}, ${bench.tiles} tiles, ${bench.threads} threads: ${figure(ours)} tiles/s end to end`,
    `model alone ${figure(alone)} tiles/s; end to end over model alone ${bench.overModelAlone.toFixed(3)} (aim 0.95)`,
    python === null || overPython === null
      ? 'Python pipeline: skipped, needs OpenSlide, torchvision and PyTorch for /usr/bin/python3'
      : `Python pipeline ${figure(python)} tiles/s; ours over it ${overPython.toFixed(2)} (aim 2.5)`,
    `decoding alone, a thread a core: ${figure(bench.decodeOnly)} tiles/s`,
    `three passes over one: ${bench.threeBackbones.toFixed(2)} for three small networks, ${bench.threeCuts.toFixed(2)} for three cuts of one`,
  ];
}

/** How far the tissue tiles of the real slides are those of scikit-image's Otsu pipeline. */
async function describeMasks(): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const name of REFERENCE_SLIDES) {
    const path = realSlide(name);
    if (path === null) continue;
    const { share, tiles } = await otsuAgreement(name, path);
    lines.push(`tissue of ${name}: ${share.toFixed(3)} of ${tiles} tiles decided as by scikit-image's Otsu pipeline`);
  }
  return lines;
}

/** Prints the figures. */
export async function bench(): Promise<void> {
  const result = await benchExtract();
  const lines = result ? describeExtract(result) : ['skipped: needs the real slide CMU-1-Small-Region'];
  for (const line of [...lines, ...(await describeMasks())]) console.log(`  ${line}`);
}
