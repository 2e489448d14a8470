import { describe, expect, it } from 'vitest';
import { RandomStream } from '../backbone/random-stream.ts';
import { minimise } from '../study/lbfgs.ts';
import { rocAuc } from '../study/metrics.ts';
import type { Bag, BagSet } from './bag.ts';
import { heldOutMargins, type Margins, marginsOf, type Solve } from './held-out-margins.ts';
import { slideLabels } from './tile-loss.ts';

const [DIM, TILES] = [64, 4];
const SPEC = { pooling: 'mean', gated: false, featureDim: DIM, classes: 2, seed: 1 } as const;

/** Twenty slides of noise: fewer tiles than a linear head can learn by heart. `drawn`: the same twelve tiles in all of them. */
function noise(drawn: boolean): Bag[] {
  const stream = new RandomStream(3, 'noise');
  const pool = Array.from({ length: 12 }, () => Float32Array.from({ length: DIM }, () => stream.nextNormal()));
  return Array.from({ length: 20 }, (_, b) => {
    const features = Float32Array.from({ length: TILES * DIM }, () => stream.nextNormal());
    // Of the pool, the first four tiles come in slides of class 1 only, one in each.
    for (let t = 0; t < (drawn ? TILES : 0); t++) {
      const from = t === 0 && b % 2 === 1 ? Math.floor(b / 2) % 4 : 4 + ((3 * b + t) % 8);
      features.set(pool[from] as Float32Array, t * DIM);
    }
    return { features, label: b % 2 };
  });
}

const setOf = (bags: readonly Bag[]): BagSet => ({ count: bags.length, get: async (i) => bags[i] as Bag });

/** Logistic regression on the difference of the two classes, by its formula. */
const solve: Solve = async (_, set, targets, penalty) => {
  const rows: { at: Float32Array; sign: number; weight: number }[] = [];
  for (let b = 0; b < set.count; b++) {
    const { features, label } = await set.get(b);
    const { labels, weights } = targets(b, label, TILES);
    for (let t = 0; t < TILES; t++) {
      const own = labels[t] ?? 0;
      rows.push({ at: features.subarray(t * DIM, (t + 1) * DIM), sign: own * 2 - 1, weight: weights[own] ?? 0 });
    }
  }
  const { x } = minimise(
    (w, gradient) => {
      gradient.fill(0);
      let loss = 0;
      for (const { at, sign, weight } of rows) {
        const margin = sign * (at.reduce((sum, v, d) => sum + v * (w[d] ?? 0), w[DIM] ?? 0) as number);
        loss += weight * Math.log1p(Math.exp(-margin));
        const by = (-weight * sign) / (1 + Math.exp(margin));
        at.forEach((v, d) => {
          gradient[d] = (gradient[d] ?? 0) + by * v;
        });
        gradient[DIM] = (gradient[DIM] ?? 0) + by;
      }
      for (let d = 0; d < DIM; d++) {
        loss += (penalty / 4) * (w[d] ?? 0) ** 2;
        gradient[d] = (gradient[d] ?? 0) + (penalty / 2) * (w[d] ?? 0);
      }
      return loss;
    },
    new Float64Array(DIM + 1),
    1e-6,
    200,
  );
  const weights = new Float64Array(2 * (DIM + 1));
  for (let d = 0; d <= DIM; d++) {
    weights[2 * d] = -(x[d] ?? 0) / 2;
    weights[2 * d + 1] = (x[d] ?? 0) / 2;
  }
  return weights;
};

/** How well tiles' margins give their slides' labels back. */
const givenBack = (margins: Margins): number =>
  rocAuc(
    margins.flatMap(({ label, ofTiles }) => [...ofTiles].map(() => label)),
    margins.flatMap(({ ofTiles }) => [...ofTiles]),
  );

describe('margins of tiles by heads that were not told their slide label', () => {
  it('do not give the labels of noise back, as those of a head that was told them do', async () => {
    const bags = setOf(noise(false));
    const told = await solve(new Float64Array(0), bags, slideLabels(bags, 2, [1, 1]), 0.01);
    expect(givenBack(await marginsOf(SPEC, told, bags, 1))).toBeGreaterThan(0.95);
    const margins = await heldOutMargins(SPEC, bags, 1, [1, 1], solve);
    expect(Math.abs(givenBack(margins ?? []) - 0.5)).toBeLessThan(0.2);
  });

  it('use that other slides hold the same tiles, each slide in its own place', async () => {
    const bags = noise(true);
    const margins = (await heldOutMargins(SPEC, setOf(bags), 1, [1, 1], solve)) ?? [];
    expect(margins.map(({ label }) => label)).toEqual(bags.map(({ label }) => label));
    const positives = margins.filter(({ label }) => label === 1).map(({ ofTiles }) => [...ofTiles]);
    expect(positives.filter((of) => (of[0] ?? 0) === Math.max(...of)).length).toBeGreaterThanOrEqual(9);
  });

  it('do not give the labels of patients back either, of whom each has several slides with the same tiles', async () => {
    const slides = noise(false);
    const twice = slides.flatMap((bag, patient) => [bag, bag].map((slide) => ({ ...slide, patient })));
    const ofSlides = await heldOutMargins(SPEC, setOf(slides.flatMap((bag) => [bag, bag])), 1, [1, 1], solve);
    expect(givenBack(ofSlides ?? [])).toBeGreaterThan(0.8);
    const ofPatients = (await heldOutMargins(SPEC, setOf(twice), 1, [1, 1], solve)) ?? [];
    expect(ofPatients.map(({ label }) => label)).toEqual(twice.map(({ label }) => label));
    expect(Math.abs(givenBack(ofPatients) - 0.5)).toBeLessThan(0.2);
  });

  it('are none where a class has one slide, or one patient', async () => {
    const bags = noise(false).slice(0, 3);
    expect(await heldOutMargins(SPEC, setOf(bags), 1, [1, 1], solve)).toBeNull();
    const ofOne = noise(false).map((bag) => (bag.label === 1 ? { ...bag, patient: 1 } : bag));
    expect(await heldOutMargins(SPEC, setOf(ofOne), 1, [1, 1], solve)).toBeNull();
  });
});
