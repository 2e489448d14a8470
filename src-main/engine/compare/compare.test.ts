import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Comparison, TaskComparison } from '../../../src-shared/model/comparison.ts';
import { nextGaussian, seededRandom } from '../../../src-shared/numeric/random.ts';
import { InferenceWorker } from '../infer/inference-worker.ts';
import { compareBackbones } from './compare.ts';
import type { CompareBackbone } from './contenders.ts';
import { FeatureCache } from './feature-cache.ts';
import { readTasks } from './read-tasks.ts';
import { checkered, grey, paintImages, pink, SIDE_PX, writeLittleNetwork } from './testing.ts';
import { writeComparison } from './write-comparison.ts';

let folder = '';
let worker: InferenceWorker;
let backbones: CompareBackbone[] = [];
let comparison: Comparison;

async function run(...below: string[]): Promise<Comparison> {
  const { tasks, skipped } = await readTasks([join(folder, 'tasks', ...below)], {});
  return compareBackbones({
    ...{
      tasks,
      skipped,
      backbones,
      probe: 'svm',
      standardise: true,
      seeds: [1, 2],
      twinSeeds: [1, 2, 3],
      resamples: 200,
    },
    ...{ tolerance: 0.01, ckaImages: 40, robustnessImages: 8, twinsFolder: join(folder, 'twins') },
    slides: [{ name: 'a slide.svs', count: 12, read: drawnTile }],
    bench: { worker, cache: new FeatureCache(join(folder, 'features')), threads: 1 },
  });
}

/** Random weights whose card does not say so: they get random twins as any trained network does. */
const withoutOrigin = ({ card, ...rest }: CompareBackbone): CompareBackbone => {
  return { ...rest, card: { ...card, origin: 'unknown' } };
};

/** Tiles of a slide that differ in how strong their checkerboard is, under some noise. */
async function drawnTile(tile: number): Promise<Uint8Array> {
  const random = seededRandom(tile);
  return Uint8Array.from({ length: SIDE_PX * SIDE_PX * 3 }, (_, at) => {
    const place = Math.floor(at / 3);
    const sign = ((place % SIDE_PX) + Math.floor(place / SIDE_PX)) % 2 === 0 ? 1 : -1;
    return Math.round(128 + sign * 5 * tile + 6 * nextGaussian(random));
  });
}

function task(name: string): TaskComparison {
  const found = comparison.tasks.find((it) => it.task === name);
  if (found === undefined) throw new Error(`no task ${name}`);
  return found;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hyaline-compare-'));
  worker = new InferenceWorker();
  const at = (of: string, label: string) => join(folder, 'tasks', of, label);
  await paintImages(at('texture', 'board'), 60, checkered, 1);
  await paintImages(at('texture', 'plain'), 60, grey, 2);
  await paintImages(at('colour', 'pink'), 20, pink, 3);
  await paintImages(at('colour', 'plain'), 20, grey, 4);
  await paintImages(at('nothing', 'heads'), 50, grey, 105);
  await paintImages(at('nothing', 'tails'), 50, grey, 206);
  await paintImages(at('lonely', 'one'), 6, grey, 7);
  backbones = [
    await writeLittleNetwork(join(folder, 'models'), 'planted', 'histology', 11),
    await writeLittleNetwork(join(folder, 'models'), 'drawn', 'random', 12),
    withoutOrigin(await writeLittleNetwork(join(folder, 'models'), 'unlearnt', 'random', 13)),
  ];
  comparison = await run();
}, 120_000);
afterAll(async () => {
  await worker.close();
  await rm(folder, { recursive: true, force: true });
});

describe('a comparison of backbones', () => {
  it('finds a signal planted in an early layer there, and a gain over random twins', () => {
    const [early, late] = task('texture').backbones[0]?.cuts ?? [];
    expect(early?.score).toBeGreaterThan(0.8);
    expect(early?.gain).toBeGreaterThan(0.2);
    expect(early?.noBetterThanRandom).toBe(false);
    expect(late?.gain ?? 1).toBeLessThan((early?.gain ?? 0) - 0.1);
    expect(early?.random).toHaveLength(3);
    expect(task('texture').backbones[0]?.sweetSpot).toBe('early');
    expect(task('texture').confounds[0]?.alarm).toBe(false);
  });

  it('finds no gain of random weights over random weights', () => {
    const [, , unlearnt] = task('nothing').backbones;
    expect(unlearnt?.backbone).toBe('unlearnt');
    for (const { gain, noBetterThanRandom, random } of unlearnt?.cuts ?? []) {
      expect(random).toHaveLength(3);
      expect(Math.abs(gain ?? 1)).toBeLessThan(0.12);
      expect(noBetterThanRandom).toBe(true);
    }
    for (const { gain } of task('texture').backbones[2]?.cuts ?? []) expect(Math.abs(gain ?? 1)).toBeLessThan(0.2);
  });

  it('chooses the cut inside the training part', () => {
    const [planted] = task('texture').backbones;
    expect(planted?.timesChosen).toEqual({ early: 10, late: 0 });
    expect(planted?.chosen.score).toBe(planted?.cuts[0]?.score);
  });

  it('sounds the alarm where mean colour is enough', () => {
    const [alarm] = task('colour').confounds;
    expect(alarm).toMatchObject({ alarm: true, metric: 'AUC' });
    expect(task('colour').controls.find(({ name }) => name === 'mean colour')?.score).toBeGreaterThan(0.95);
    expect(task('texture').controls.find(({ name }) => name === 'mean colour')?.score).toBeLessThan(0.7);
  });

  it('claims nothing where labels mean nothing', () => {
    const { backbones: judged, pairs, chance } = task('nothing');
    expect(chance).toBe(0.5);
    for (const { chosen } of judged) expect(Math.abs(chosen.score - 0.5)).toBeLessThan(0.2);
    expect(pairs[0]?.sentence).toMatch(/^No difference between planted and drawn can be claimed/);
    expect(pairs[0]?.sentence).toContain('optimistic');
    expect(judged[0]?.cuts[0]?.noBetterThanRandom).toBe(true);
  });

  it('tells a real difference, corrected for all comparisons', () => {
    const [pair] = task('texture').pairs;
    expect(pair?.sentence).toMatch(/^drawn is worse than planted: −\d+\.\d AUC points/);
    expect(pair?.correctedP).toBeGreaterThanOrEqual(pair?.pValue ?? 1);
    expect(pair?.twiceSd).toBe(-1);
    expect(comparison.ranks?.average[0]).toBeLessThan(2);
    expect(comparison.ranks?.criticalDifference).toBeNull();
  });

  it('shows what shifts of stain and focus do to the probe', () => {
    const [planted] = task('texture').robustness;
    expect(planted).toMatchObject({ backbone: 'planted', cut: 'early', images: 8 });
    expect(planted?.shifts).toHaveLength(15);
    const of = (name: string, level: number) => planted?.shifts.find((it) => it.shift === name && it.level === level);
    // Blur wipes out a checkerboard of single pixels; a turn by a right angle leaves it.
    expect(of('rotation', 90)?.rankCorrelation ?? 0).toBeGreaterThan(0.8);
    expect(of('blur', 2)?.rankCorrelation ?? 1).toBeLessThan(of('rotation', 90)?.rankCorrelation ?? 0);
  });

  it('shows how far maps of a slide move', () => {
    const maps = comparison.mapRobustness ?? [];
    expect(maps.map(({ slide, backbone, cut, tiles }) => [slide, backbone, cut, tiles])).toEqual(
      ['planted', 'drawn', 'unlearnt'].map((name) => ['a slide.svs', name, 'late', 12]),
    );
    for (const { shifts, formula } of maps) {
      expect(shifts).toHaveLength(15);
      expect(formula).toContain("Spearman's");
      // A turn by a right angle leaves the tiles' order of strength; a wide blur leaves next to nothing of it.
      const of = (name: string, level: number) => shifts.find((it) => it.shift === name && it.level === level);
      expect(of('rotation', 90)?.rankCorrelation ?? 0).toBeGreaterThan(of('blur', 4)?.rankCorrelation ?? 1);
    }
  });

  it('names what it left out', () => {
    expect(comparison.skipped).toEqual([expect.objectContaining({ name: 'lonely' })]);
    expect(comparison.skipped[0]?.reason).toContain('one class only (one)');
  });

  it('computes CKA between all cuts on the same images', () => {
    const { cka } = comparison;
    expect(cka?.layers).toEqual([
      'planted@early',
      'planted@late',
      'drawn@early',
      'drawn@late',
      'unlearnt@early',
      'unlearnt@late',
    ]);
    cka?.biased.forEach((row, i) => {
      expect(row[i]).toBeCloseTo(1, 10);
    });
    expect(cka?.images).toBe(40);
  });

  it('writes tables and figures that hold its numbers', async () => {
    const files = await writeComparison(comparison, join(folder, 'out'));
    const read = (name: string) => readFile(join(folder, 'out', name), 'utf8');
    expect(files).toContain('layers-texture.svg');
    expect(JSON.parse(await read('comparison.json'))).toEqual(comparison);
    const markdown = await read('comparison.md');
    expect(markdown).toContain('**Confounded: this task cannot rank backbones.**');
    expect(markdown).toContain('lonely: It has one class only');
    const csv = (await read('scores.csv')).trim().split('\r\n');
    expect(new Set(csv.map((line) => line.split(',').length)).size).toBe(1);
    expect(csv).toHaveLength(1 + 3 * 3 * 3);
    // Every figure says how it was made, and whose formula it is.
    for (const name of ['layers-texture.svg', 'robustness-texture.svg', 'moves-texture.svg']) {
      const figure = (await read(name)).replaceAll(/<[^>]*>\s*/g, ' ').replaceAll(/\s+/g, ' ');
      expect(figure).toContain('our operationalisation of Li and Plataniotis');
      expect(figure).toContain('KG(l) = S_pretrained(l)');
      expect(figure).toMatch(/5-fold cross-validation, by image, seeds 1, 2/);
    }
    expect((await read('maps-a_slide.svs.svg')).replaceAll(/<[^>]*>\s*/g, ' ')).toContain('Map of a tile q');
    expect((await read('maps.csv')).trim().split('\r\n')).toHaveLength(1 + 3 * 15);
    expect(files).toEqual(expect.arrayContaining(['cka-rbf.svg', 'cka-rbf-biased.png', 'moves-texture.png']));
    const svg = await read('cka.svg');
    expect(svg).toContain('planted@early');
    expect(svg).toContain('>1.00<');
    expect((await sharp(join(folder, 'out', 'cka.png')).metadata()).format).toBe('png');
  });

  it('gives the same figures again from its cache, without reading an image', async () => {
    const sizes = async () => {
      const names = await readdir(join(folder, 'features'));
      return Promise.all(
        names.sort().map(async (name) => [name, (await stat(join(folder, 'features', name))).mtimeMs]),
      );
    };
    const before = await sizes();
    const again = await run('texture');
    expect(await sizes()).toEqual(before);
    const scores = (of: TaskComparison | undefined) =>
      of?.backbones.map(({ cuts }) => cuts.map(({ bySeed }) => bySeed));
    expect(scores(again.tasks[0])).toEqual(scores(task('texture')));
  }, 60_000);
});
