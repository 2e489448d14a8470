import { describe, expect, it } from 'vitest';
import type { TrainingSettings } from '../../../src-shared/model/training-preset.ts';
import { trainingPreset } from '../../../src-shared/model/training-preset.ts';
import { RandomStream } from '../backbone/random-stream.ts';
import { choose } from './choose.ts';
import { makeBags } from './make-bags.ts';
import { type PatchTiles, type ProofPlan, provePatches } from './patch-proof.ts';
import { patchReportMarkdown } from './patch-report.ts';
import { FIXED_RECIPES, headTraining, type ProofRecipe } from './recipes.ts';
import { bagLogit, separation } from './tile-scores.ts';
import { runTrial } from './trial.ts';

const DIM = 10;

/** Noise of very unlike scales; positive tiles are shifted along two small features. */
function tilesOf(shift: number, seed = 7): PatchTiles {
  const stream = new RandomStream(seed, 'tiles');
  const count = 240;
  const data = new Float32Array(count * DIM);
  for (let i = 0; i < count; i++) {
    for (let d = 0; d < DIM; d++) {
      const scale = d < 2 ? 0.05 : d === 9 ? 40 : 1;
      data[i * DIM + d] = scale * (stream.nextNormal() + (i % 2 === 1 && d < 2 ? shift : 0));
    }
  }
  const rows = (from: number, to: number, odd: number) =>
    Array.from({ length: to - from }, (_, i) => from + i).filter((i) => i % 2 === odd);
  return {
    features: { data, count, dim: DIM },
    train: { positive: rows(0, 160, 1), negative: rows(0, 160, 0) },
    test: { positive: rows(160, 240, 1), negative: rows(160, 240, 0) },
  };
}

const settingsOf = (name: string): TrainingSettings => trainingPreset(name)?.settings as TrainingSettings;
const candidate = (name: string): ProofRecipe => ({ name, role: 'candidate', settings: settingsOf(name) });
const mean = FIXED_RECIPES.find(({ name }) => name === 'mean pooling') as ProofRecipe;
const plan: ProofPlan = {
  recipes: [{ ...mean, settings: { ...mean.settings, epochs: 2 } }, candidate('tiles')],
  seeds: [1, 2],
  bags: { bags: 40, tilesPerBag: 20, positiveShare: [0.1, 0.25] },
  validationShare: 0.25,
  testBags: 20,
  resamples: 20,
  threads: 2,
};

describe('the proof on patches', () => {
  it('finds tiles by bag labels alone, and says so with intervals', async () => {
    const proof = await provePatches(tilesOf(2.5), plan);
    expect(proof.probe.value).toBeGreaterThan(0.95);
    const [control, steady] = proof.recipes;
    expect(control?.scores[0]?.tileAuc.value).toBeLessThan(0.9);
    const classifier = steady?.scores.find(({ score }) => score === 'classifier');
    expect(classifier?.tileAuc.value).toBeGreaterThan(0.9);
    expect(classifier?.bySeed).toHaveLength(2);
    expect(classifier?.tileAuc.low).toBeLessThan(classifier?.tileAuc.high ?? 0);
    expect(steady?.bagAuc.value).toBeGreaterThan(0.75);
    expect(proof.chosen?.recipe).toBe('tiles');
    const [again] = proof.refit?.scores ?? [];
    expect(proof.refit?.histories.every((history) => history.length === 1)).toBe(true);
    expect(again?.tileAuc.value).toBeGreaterThan(proof.probe.value - 0.05);
    const text = patchReportMarkdown({
      ...{ data: 'patches', dataSha256: 'ab', positive: 'AC', negative: 'T', parts: 'own', seeds: plan.seeds },
      ...{ tiles: { train: 160, test: 80 }, bags: { count: 40, tiles: 20, positiveShare: [0.1, 0.25] } },
      ...{
        validationShare: 0.25,
        testBags: 20,
        resamples: 40,
        aim: 0.03,
        versions: {},
        notes: ['A note.'],
        seconds: 1,
      },
      backbones: [{ backbone: 'b', sha256: 'cd', cut: 'last', featureDim: DIM, control: true, proof }],
    });
    expect(text).toContain('| **tiles** (chosen) |');
    expect(text).toContain('| tiles, on the whole training part |');
    expect(text).toContain('b (control: random weights)');
  });

  it('finds nothing where there is nothing, and repeats itself whatever the number of threads', async () => {
    const small = {
      ...plan,
      recipes: [candidate('tiles')],
      seeds: [3],
      resamples: 0,
    };
    const first = await provePatches(tilesOf(0), small);
    const again = await provePatches(tilesOf(0), { ...small, threads: 1 });
    expect(again).toEqual(first);
    expect(Math.abs((first.recipes[0]?.scores[0]?.tileAuc.value ?? 0) - 0.5)).toBeLessThan(0.15);
  });
});

describe('a bag judged from its tiles', () => {
  it.each(['histotransfer', 'mean', 'max'] as const)('is what the %s head says of it as a whole', async (pooling) => {
    const { features, train } = tilesOf(2);
    const shared = new SharedArrayBuffer(features.data.length * 4);
    new Float32Array(shared).set(features.data);
    const bags = makeBags(train, { ...plan.bags, bags: 6 }, new RandomStream(1, 'a'));
    const settings = { ...settingsOf('histotransfer'), pooling, epochs: 2 };
    const training = headTraining(settings, DIM, 1);
    const result = await runTrial({ training, features: shared, train: bags, validation: bags, test: bags });
    for (const [i, { tiles }] of bags.entries()) {
      expect(bagLogit(pooling, result, tiles)).toBeCloseTo(result.test[i] ?? Number.NaN, 4);
    }
  });
});

describe('the choice', () => {
  it('takes the score whose highest tiles tell validation bags apart, among candidates only', () => {
    const bags = makeBags(
      { positive: [0, 1, 2], negative: [3, 4, 5, 6, 7, 8, 9] },
      { bags: 8, tilesPerBag: 5, positiveShare: [0.2, 0.4] },
      new RandomStream(1, 'b'),
    );
    const good = Float64Array.from({ length: 10 }, (_, tile) => (tile < 3 ? 2 + tile / 10 : tile / 10));
    const bad = good.map((value) => -value);
    const [best, worst] = [separation(good, bags), separation(bad, bags)];
    expect(best.auc).toBe(1);
    expect(worst.auc).toBeLessThan(0.5);
    const scores = (validation: typeof best) => [{ score: 'classifier' as const, validation }];
    const chosen = choose([
      { recipe: { ...candidate('tiles'), name: 'control', role: 'control' }, scores: scores(best) },
      { recipe: { ...candidate('tiles'), name: 'worse' }, scores: scores(worst) },
      { recipe: { ...candidate('tiles'), name: 'better' }, scores: scores({ auc: 0.9, gap: 1 }) },
      { recipe: { ...candidate('tiles'), name: 'wider' }, scores: scores({ auc: 0.9, gap: 2 }) },
    ]);
    expect(chosen).toEqual({ recipe: 'wider', score: 'classifier' });
    const attention = { recipe: candidate('steady'), scores: scores({ auc: 0.95, gap: 9, aucError: 0.06 }) };
    const linear = { recipe: candidate('tiles'), scores: scores({ auc: 0.9, gap: 1 }) };
    expect(choose([attention, linear])?.recipe).toBe('tiles');
    const sure = { ...attention, scores: scores({ auc: 0.95, gap: 9, aucError: 0.01 }) };
    expect(choose([sure, linear])?.recipe).toBe('steady');
  });
});
