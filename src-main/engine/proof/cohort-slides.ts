import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { asId, type SlideId } from '../../../src-shared/model/ids.ts';
import { DEFAULT_GRID, DEFAULT_TISSUE, type GridSpec } from '../../../src-shared/model/run.ts';
import { RandomStream } from '../backbone/random-stream.ts';
import type { CompareBackbone } from '../compare/contenders.ts';
import { type LaidGrid, tileRef } from '../grid/laid-grid.ts';
import { layGrid } from '../grid/lay-grid.ts';
import { extractPass } from '../infer/extract-pass.ts';
import type { InferenceWorker } from '../infer/inference-worker.ts';
import { openSlideSource } from '../slide/open-slide.ts';
import { synthesizeInWorker } from '../slide/synthetic/synthesize-in-worker.ts';
import { computeTissueMask } from '../tissue/tissue-mask.ts';

export interface CohortSpec {
  /** Every second slide has lesions. */
  readonly slides: number;
  readonly sidePx: number;
  readonly mppUm: number;
  readonly seed: number;
}

/** A synthetic slide and all that may be said of it by its label: 1 where lesions were planted. */
export interface CohortSlide {
  readonly path: string;
  readonly maskPath: string;
  readonly label: number;
  readonly part: 'train' | 'validation' | 'test';
}

/** A slide's tiles with the truth that only the judging may look at. */
export interface CohortTiles {
  readonly slide: CohortSlide;
  readonly laid: LaidGrid;
  /** Share of each tile's area that lies in a lesion, 0..1. */
  readonly lesionShare: Float64Array;
  /** By backbone: tiles x featureDim. */
  readonly features: readonly Float32Array[];
}

const MOST_LESIONS = 2;

/** Half the slides to train on, a sixth to choose by, a third to judge by, the same for both labels. */
function partOf(pair: number, pairs: number): CohortSlide['part'] {
  const place = (pair + 0.5) / pairs;
  return place < 1 / 2 ? 'train' : place < 2 / 3 ? 'validation' : 'test';
}

/** Writes the slides that are not there yet. The same seed gives the same slides, whatever is there. */
export async function writeCohort(
  { slides, sidePx, mppUm, seed }: CohortSpec,
  folder: string,
  threads: number,
  hooks: { readonly signal?: AbortSignal | undefined; readonly onDone?: ((done: number) => void) | undefined } = {},
): Promise<readonly CohortSlide[]> {
  await mkdir(folder, { recursive: true });
  const stream = new RandomStream(seed, 'cohort');
  const made: CohortSlide[] = [];
  for (let i = 0; i < slides; i++) {
    const label = i % 2;
    const lesions = label === 0 ? 0 : 1 + Math.floor(stream.nextUniform() * MOST_LESIONS);
    const slideSeed = stream.nextUint32() >>> 1;
    const name = `s${seed}-${String(i).padStart(3, '0')}-${sidePx}px-${lesions}`;
    const path = join(folder, `${name}.tif`);
    if (!existsSync(path)) {
      const size = { widthPx: sidePx, heightPx: sidePx, mpp: mppUm, seed: slideSeed, lesions, threads };
      await synthesizeInWorker({ outPath: path, ...size, ...(hooks.signal && { signal: hooks.signal }) });
    }
    const part = partOf(Math.floor(i / 2), Math.ceil(slides / 2));
    made.push({ path, maskPath: join(folder, `${name}.lesions.png`), label, part });
    hooks.onDone?.(i + 1);
  }
  return made;
}

export interface CohortFeatureRequest {
  readonly backbones: readonly CompareBackbone[];
  readonly worker: InferenceWorker;
  readonly threads: number;
  readonly mppUm: number;
  readonly grid?: GridSpec;
  readonly signal?: AbortSignal | undefined;
}

/** Tissue, grid, features and truth of a slide, all as an analysis makes them. @throws AppError as those do. */
export async function cohortTiles(slide: CohortSlide, request: CohortFeatureRequest): Promise<CohortTiles> {
  const { backbones, worker, threads, mppUm, grid = DEFAULT_GRID, signal } = request;
  const { laid, lesionShare } = await layCohortSlide(slide, mppUm, grid);
  const { tileCount } = laid.grid;
  const features = backbones.map(({ cuts }) => new Float32Array(tileCount * (cuts[0]?.featureDim ?? 0)));
  await extractPass({
    ...{ slidePath: slide.path, laid, threads, batchSize: 16, worker },
    backbones: backbones.map(({ modelPath, card, cuts }, b) => ({
      modelPath,
      card,
      cuts: cuts.slice(0, 1).map((cut) => ({
        cut,
        firstTile: 0,
        onChunk: async (firstTile, values) => features[b]?.set(values, firstTile * cut.featureDim),
      })),
    })),
    ...(signal && { signal }),
  });
  return { slide, laid, lesionShare, features };
}

/** Tissue, grid and truth of a slide. @throws AppError as `openSlideSource` and `layGrid` do. */
export async function layCohortSlide(
  slide: CohortSlide,
  mppUm: number,
  grid: GridSpec = DEFAULT_GRID,
): Promise<Pick<CohortTiles, 'laid' | 'lesionShare'>> {
  const laid = await layOn(slide.path, mppUm, grid);
  const lesionShare =
    slide.label === 0 ? new Float64Array(laid.grid.tileCount) : await lesionShares(slide.maskPath, laid, mppUm);
  return { laid, lesionShare };
}

async function layOn(path: string, mppUm: number, spec: GridSpec): Promise<LaidGrid> {
  const source = await openSlideSource(path);
  try {
    const mask = await computeTissueMask(source, mppUm, DEFAULT_TISSUE);
    const slideId = asId<SlideId>('0'.repeat(64));
    return layGrid({ slideId, info: source.info, mppUm, spec, tissue: DEFAULT_TISSUE, mask });
  } finally {
    await source.close();
  }
}

/** How much of each tile the true mask calls lesion. */
async function lesionShares(maskPath: string, laid: LaidGrid, mppUm: number): Promise<Float64Array> {
  const { data, info } = await sharp(maskPath).greyscale().raw().toBuffer({ resolveWithObject: true });
  const about = JSON.parse(await readFile(maskPath.replace(/png$/, 'json'), 'utf8')) as { readonly mppUm: number };
  const perPx = mppUm / about.mppUm;
  return Float64Array.from({ length: laid.grid.tileCount }, (_, i) => {
    const { x0Px, y0Px, sizeLevel0Px } = tileRef(laid, i);
    const [left, right] = [Math.round(x0Px * perPx), Math.round((x0Px + sizeLevel0Px) * perPx)];
    const [top, bottom] = [Math.round(y0Px * perPx), Math.round((y0Px + sizeLevel0Px) * perPx)];
    let [inside, all] = [0, 0];
    for (let y = top; y < Math.min(bottom, info.height); y++) {
      for (let x = left; x < Math.min(right, info.width); x++) {
        all++;
        if ((data[y * info.width + x] ?? 0) > 127) inside++;
      }
    }
    return all === 0 ? 0 : inside / all;
  });
}
