import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomResNet18Card } from '../../src-main/engine/backbone/random-resnet18.ts';
import { backbonePath, ensureBuiltIns } from '../../src-main/engine/backbone/registry.ts';
import { cutModel } from '../../src-main/engine/graph/cut.ts';
import { encodeModel } from '../../src-main/engine/graph/proto.ts';
import type { LaidGrid } from '../../src-main/engine/grid/laid-grid.ts';
import { extractFeatures } from '../../src-main/engine/infer/extract.ts';
import { InferenceWorker } from '../../src-main/engine/infer/inference-worker.ts';
import { readModelFile } from '../../src-main/engine/infer/model-file.ts';
import { loadRuntime, openSession, type Session } from '../../src-main/engine/infer/runtime.ts';
import { realSlide } from '../../src-main/engine/testing/real-data.ts';
import { asId } from '../../src-shared/model/ids.ts';
import { DEFAULT_GRID, DEFAULT_TISSUE } from '../../src-shared/model/run.ts';
import { median } from './paired.ts';

const BATCH = 16;
const TILE_PX = 224;

export interface ExtractBench {
  readonly slide: string;
  readonly tiles: number;
  /** Tiles per second, medians over the rounds. */
  readonly endToEnd: number;
  readonly modelAlone: number;
  /** Median of the rounds' own ratios (each round runs both, one after the other). */
  readonly ratio: number;
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

/**
 * Extraction of a real slide with the built-in ResNet18, from the compressed file to features, against the same network
 * alone in onnxruntime; both with all cores, in paired rounds.
 *
 * @returns null where the real slide is not there.
 */
export async function benchExtract(options: { rounds?: number; tiles?: number } = {}): Promise<ExtractBench | null> {
  const { rounds = 5, tiles = 192 } = options;
  const slide = 'aperio/CMU-1-Small-Region.svs';
  const slidePath = realSlide(slide);
  if (slidePath === null) return null;
  const folder = await mkdtemp(join(tmpdir(), 'hyaline-bench-'));
  const worker = new InferenceWorker();
  try {
    const [card = randomResNet18Card()] = await ensureBuiltIns(folder, worker);
    const cut = card.cuts.at(-1);
    if (!cut) throw new Error('the built-in backbone has no cut');
    const modelPath = backbonePath(folder, card.id);
    const threads = availableParallelism();
    const bare = cutModel(await readModelFile(modelPath), [{ ...cut, output: 'features' }]);
    const session = await openSession({ model: encodeModel(bare), provider: 'cpu', threads });
    const laid = denseGrid(2220, 2967, tiles);
    const figures: { endToEnd: number; alone: number }[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const alone = await modelAlone(session, tiles);
      let firstChunkAt = 0;
      let counted = 0;
      const onChunk = async (_first: number, _features: Float32Array, count: number): Promise<void> => {
        // The first chunk also pays for opening the slide and the session: a slide has hundreds of chunks.
        if (firstChunkAt === 0) firstChunkAt = performance.now();
        else counted += count;
      };
      await extractFeatures({
        slidePath,
        laid,
        modelPath,
        card,
        cut,
        threads,
        batchSize: BATCH,
        firstTile: 0,
        onChunk,
        worker,
      });
      figures.push({ endToEnd: (counted * 1000) / (performance.now() - firstChunkAt), alone });
    }
    await session.release();
    return {
      slide,
      tiles,
      endToEnd: median(figures.map((figure) => figure.endToEnd)),
      modelAlone: median(figures.map((figure) => figure.alone)),
      ratio: median(figures.map((figure) => figure.endToEnd / figure.alone)),
    };
  } finally {
    await worker.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** One line for the console. */
export function describeExtract(bench: ExtractBench): string {
  const { endToEnd, modelAlone: alone, ratio } = bench;
  return (
    `extraction, ResNet18, ${bench.slide}: ${endToEnd.toFixed(1)} tiles/s end to end, ` +
    `${alone.toFixed(1)} tiles/s model alone, ratio ${ratio.toFixed(3)} (aim 0.85)`
  );
}

/** Prints the figure. */
export async function bench(): Promise<void> {
  const result = await benchExtract();
  console.log(result ? `  ${describeExtract(result)}` : '  skipped: needs the real slide CMU-1-Small-Region');
}
