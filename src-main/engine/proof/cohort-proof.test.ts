import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_GRID } from '../../../src-shared/model/run.ts';
import { trainingPreset } from '../../../src-shared/model/training-preset.ts';
import { RandomStream } from '../backbone/random-stream.ts';
import { choose } from './choose.ts';
import { type CohortPlan, proveCohort } from './cohort-proof.ts';
import { type CohortSlide, type CohortTiles, layCohortSlide, writeCohort } from './cohort-slides.ts';
import { FIXED_RECIPES, type ProofRecipe } from './recipes.ts';

const MPP_UM = 0.5;
const SIDE_PX = 1400;
const GRID = { ...DEFAULT_GRID, tileUm: 56, strideUm: 56 };

let folder = '';
let slides: readonly CohortSlide[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hyaline-cohort-'));
  slides = await writeCohort({ slides: 2, sidePx: SIDE_PX, mppUm: MPP_UM, seed: 3 }, folder, 2);
}, 60_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a synthetic cohort', () => {
  it('has lesions in every second slide, and knows how much of each tile they take', async () => {
    const [without, withLesions] = slides as [CohortSlide, CohortSlide];
    expect([without.label, withLesions.label]).toEqual([0, 1]);
    expect((await layCohortSlide(without, MPP_UM, GRID)).lesionShare.every((share) => share === 0)).toBe(true);
    const { laid, lesionShare } = await layCohortSlide(withLesions, MPP_UM, GRID);
    expect(lesionShare).toHaveLength(laid.grid.tileCount);
    const inTilesUm2 = lesionShare.reduce((sum, share) => sum + share, 0) * GRID.tileUm ** 2;
    const { data, info } = await sharp(withLesions.maskPath).greyscale().raw().toBuffer({ resolveWithObject: true });
    const maskPxUm = (SIDE_PX * MPP_UM) / info.width;
    const inMaskUm2 = data.filter((value) => value > 127).length * maskPxUm ** 2;
    // Lesions lie in tissue; what tissue detection leaves out at their rim is all that may be missing.
    expect(inTilesUm2 / inMaskUm2).toBeGreaterThan(0.85);
    expect(inTilesUm2 / inMaskUm2).toBeLessThan(1.02);
  });

  it('is the same again from the same seed, without painting what is there', async () => {
    const written = await stat(slides[0]?.path ?? '');
    const again = await writeCohort({ slides: 2, sidePx: SIDE_PX, mppUm: MPP_UM, seed: 3 }, folder, 2);
    expect(again).toEqual(slides);
    expect((await stat(slides[0]?.path ?? '')).mtimeMs).toBe(written.mtimeMs);
  });
});

const DIM = 6;
const TILES = 40;

/** Slides of noise in which lesion tiles are shifted along one feature. */
function tilesOf(shift: number): CohortTiles[] {
  const stream = new RandomStream(5, 'cohort of noise');
  const parts = ['train', 'validation', 'test'] as const;
  return Array.from({ length: 36 }, (_, i): CohortTiles => {
    const label = i % 2;
    const lesionShare = Float64Array.from({ length: TILES }, (_, t) => (label === 1 && t < 8 ? 0.75 : 0.25 * label));
    const features = Float32Array.from({ length: TILES * DIM }, (_, at) => {
      const lesion = (lesionShare[Math.floor(at / DIM)] ?? 0) > 0.5;
      return stream.nextNormal() + (lesion && at % DIM === 0 ? shift : 0);
    });
    const part = parts[i < 20 ? 0 : i < 28 ? 1 : 2];
    const laid = { grid: { tileCount: TILES } } as CohortTiles['laid'];
    return { slide: { path: '', maskPath: '', label, part: part ?? 'test' }, laid, lesionShare, features: [features] };
  });
}

const candidate = (name: string): ProofRecipe => ({
  ...{ name, role: 'candidate' },
  settings: trainingPreset(name)?.settings as ProofRecipe['settings'],
});
const mean = FIXED_RECIPES.find(({ name }) => name === 'mean pooling') as ProofRecipe;
const plan: CohortPlan = { recipes: [mean, candidate('tiles')], seeds: [1, 2], resamples: 100, threads: 2 };

describe('the proof on a cohort', () => {
  it('finds planted tiles of unseen slides by slide labels alone', async () => {
    const results = await proveCohort(tilesOf(4), 0, DIM, plan);
    const tiles = results.find(({ recipe }) => recipe.name === 'tiles');
    const classifier = tiles?.scores.find(({ score }) => score === 'classifier');
    expect(classifier?.tileAuc.value).toBeGreaterThan(0.95);
    expect(classifier?.tileAuc.low).toBeLessThanOrEqual(classifier?.tileAuc.value ?? 0);
    expect(classifier?.bySeed).toHaveLength(2);
    expect(tiles?.slideAuc.value).toBeGreaterThan(0.9);
    expect(choose(results)?.recipe).toBe('tiles');
  });

  it('finds nothing where the features say nothing', async () => {
    const [result] = await proveCohort(tilesOf(0), 0, DIM, { ...plan, recipes: [candidate('tiles')] });
    for (const { tileAuc } of result?.scores ?? []) expect(Math.abs(tileAuc.value - 0.5)).toBeLessThan(0.1);
  });
});
