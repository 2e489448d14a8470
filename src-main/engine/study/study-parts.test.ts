import { afterAll, describe, expect, it } from 'vitest';
import { describeDifferences } from '../../../src-shared/model/typicality.ts';
import { nextGaussian, seededRandom } from '../../../src-shared/numeric/random.ts';
import { RandomStream } from '../backbone/random-stream.ts';
import { evaluationGraph } from '../learn/head-graph.ts';
import type { HeadSpec, Pooling } from '../learn/head-spec.ts';
import { TrainingWorker } from '../learn/training-worker.ts';
import { APPEARANCE_DIM, COLOUR_DIM, HUE_AT, MIXTURE_AT, SHARPNESS_AT } from '../tissue/slide-appearance.ts';
import { bootstrapInterval } from './bootstrap.ts';
import { agreementOf, MapCheckCollector, subsetReader } from './map-checks.ts';
import { expectedCalibrationError } from './metrics.ts';
import { chooseThreshold } from './operating-point.ts';
import { plannedSplits, type SplitPlan } from './plan-splits.ts';
import { compareWithTraining, describeTraining, slideVector } from './slide-typicality.ts';
import { checkNoLeakage, type StudyCase } from './splits.ts';
import { ECE, studyFigures } from './study-figures.ts';
import { fitTypicality, mahalanobis } from './typicality.ts';

const worker = new TrainingWorker();
afterAll(() => worker.close());

const patients = (count: number, siteOf: (patient: number) => string): StudyCase[] =>
  Array.from({ length: count * 2 }, (_, i) => {
    const patient = i >> 1;
    return { id: `s${i}`, label: patient % 2 === 0 ? 'a' : 'b', group: `p${patient}`, site: siteOf(patient) };
  });
const PLAN: SplitPlan = { splitting: { kind: 'folds', folds: 3, repeats: 1 }, groupBy: 'patient', splitSeed: 5 };

describe('the splits of a plan', () => {
  it('are drawn anew for each repeat, every case tested once in each', () => {
    const cases = patients(20, () => '');
    const { splits } = plannedSplits(cases, { ...PLAN, splitting: { kind: 'folds', folds: 3, repeats: 4 } });
    expect(splits).toHaveLength(12);
    for (let repeat = 0; repeat < 4; repeat++) {
      const tested = splits.slice(repeat * 3, repeat * 3 + 3).flatMap(({ test }) => test);
      expect(tested.sort((a, b) => a - b)).toEqual(cases.map((_, i) => i));
    }
    expect(new Set(splits.map(({ test }) => test.join())).size).toBeGreaterThan(3);
  });

  it('keep sites whole when asked, and with them patients who were seen at two', () => {
    const cases = patients(24, (patient) => `site ${patient % 8}`).map((item, i) =>
      i === 1 ? { ...item, site: 'site 5' } : item,
    );
    const { splits } = plannedSplits(cases, { ...PLAN, groupBy: 'site' });
    for (const split of splits) {
      checkNoLeakage(cases, split);
      const bySite = cases.map((item) => ({ ...item, group: item.site ?? '' }));
      checkNoLeakage(bySite, split, 'site');
    }
    const nowhere = cases.map((item, i) => (i === 3 ? { ...item, site: '' } : item));
    expect(() => plannedSplits(nowhere, { ...PLAN, groupBy: 'site' })).toThrow('name no site: s3');
  });

  it('of another tool are refused with the patient, or the site when asked, that is in two parts', () => {
    const cases = patients(6, (patient) => (patient < 3 ? 'north' : 'south'));
    const given = (train: number[], validation: number[], test: number[], groupBy: 'patient' | 'site') =>
      plannedSplits(cases, { ...PLAN, groupBy, splitting: { kind: 'given', splits: [{ train, validation, test }] } });
    expect(() => given([0, 2, 3, 4, 5], [6, 7], [1, 8, 9], 'patient')).toThrow(
      'same patient is in two parts of the split: p0',
    );
    expect(() => given([0, 1, 2, 3], [4, 5], [6, 7, 8, 9], 'site')).toThrow(
      'same site is in two parts of the split: north',
    );
    // What a file leaves out stays out.
    expect(given([0, 1, 2, 3], [4, 5], [6, 7], 'patient').splits[0]?.test).toEqual([6, 7]);
  });

  it('take a missing validation part from the training part, patients whole, the test part as given', () => {
    const cases = patients(20, () => '');
    const train = Array.from({ length: 30 }, (_, i) => i);
    const test = Array.from({ length: 10 }, (_, i) => i + 30);
    const planned = plannedSplits(cases, {
      ...PLAN,
      splitting: { kind: 'given', splits: [{ train, validation: [], test }] },
    });
    const [split] = planned.splits;
    expect(planned.validationTaken).toBe(true);
    expect(split?.test).toEqual(test);
    expect([...(split?.train ?? []), ...(split?.validation ?? [])].sort((a, b) => a - b)).toEqual(train);
    expect(split?.validation.length).toBe(6);
  });
});

describe('the threshold', () => {
  const truth = [0, 0, 0, 1, 0, 1, 1, 1];
  const scores = [0.1, 0.2, 0.3, 0.35, 0.5, 0.6, 0.7, 0.9];
  it('follows its rule and lies between two scores', () => {
    expect(chooseThreshold(truth, scores, { kind: 'youden' })).toBeCloseTo(0.325, 12);
    expect(chooseThreshold(truth, scores, { kind: 'sensitivity', atLeast: 0.9 })).toBeCloseTo(0.325, 12);
    expect(chooseThreshold([0, 0, 1, 0, 1, 1], [0.1, 0.2, 0.3, 0.5, 0.7, 0.9], { kind: 'youden' })).toBeCloseTo(
      0.25,
      12,
    );
    expect(chooseThreshold([1, 1], [0.2, 0.9], { kind: 'youden' })).toBe(0.5);
  });
});

describe('a bag of which tiles are taken away', () => {
  it.each<Pooling>(['histotransfer', 'abmil', 'clam-sb', 'mean', 'max'])(
    'is read off one pass as %s would judge what is left',
    async (pooling) => {
      const spec: HeadSpec = { pooling, gated: false, featureDim: 6, classes: 3, seed: 2 };
      const { model, parameters } = evaluationGraph(spec);
      const stream = new RandomStream(4, pooling);
      const weights = new Map(
        model.graph.initializers
          .filter(({ name }) => parameters.includes(name))
          .map(({ name, dims }) => {
            const count = dims.reduce((product, dim) => product * dim, 1);
            return [name, Float32Array.from({ length: count }, () => stream.nextNormal() * 0.4)] as const;
          }),
      );
      const bag = Float32Array.from({ length: 11 * 6 }, () => stream.nextNormal());
      const kept = [0, 3, 4, 9];
      const part = Float32Array.from(kept.flatMap((t) => [...bag.subarray(t * 6, t * 6 + 6)]));
      const read = subsetReader(pooling, await worker.predict(spec, weights, bag));
      const asked = await worker.predict(spec, weights, part);
      read(kept).forEach((p, c) => {
        expect(p).toBeCloseTo(asked.probabilities[c] ?? Number.NaN, 5);
      });
    },
  );

  it('loses the class called soonest where the weights point at what decides', () => {
    const tiles = 40;
    // Two tiles hold all the evidence, and the attention.
    const attention = Float32Array.from({ length: tiles }, (_, t) => (t < 2 ? 0.4 : 0.2 / (tiles - 2)));
    const contributions = Float32Array.from({ length: tiles * 2 }, (_, at) => {
      const value = at >> 1 < 2 ? 4 : -1;
      return (attention[at >> 1] ?? 0) * (at % 2 === 1 ? value : -value);
    });
    const logits = new Float32Array(2);
    contributions.forEach((value, at) => {
      logits[at % 2] = (logits[at % 2] ?? 0) + value;
    });
    const probability = 1 / (1 + Math.exp((logits[0] ?? 0) - (logits[1] ?? 0)));
    const prediction = {
      ...{ logits, attention, contributions, attentionScores: attention },
      probabilities: Float32Array.of(1 - probability, probability),
    };
    const flat = { ...prediction, attention: attention.map((_, t) => (t + 1) / 820) };
    const checks = new MapCheckCollector('abmil', 1);
    checks.add([prediction, prediction], flat);
    const result = checks.result(1, 0.5);
    expect(result?.seedAgreement).toBeCloseTo(1, 9);
    expect(result?.shuffled?.agreement).toBeLessThan(0);
    const [whole, ...fewer] = result?.deletion.probability ?? [];
    expect(whole).toBeCloseTo(probability, 5);
    expect(Math.min(...fewer)).toBeLessThan(0.2);
    expect(result?.randomDeletion.probability[3]).toBeGreaterThan(result?.deletion.probability[3] ?? 1);
    expect(result?.insertion.probability[2]).toBeGreaterThan(0.95);
    expect(agreementOf([attention])).toBeNull();
  });
});

describe('slides like and unlike the training slides', () => {
  const random = seededRandom(8);
  const noise = (count: number, dim: number): Float64Array =>
    Float64Array.from({ length: count * dim }, () => nextGaussian(random));

  it('lie as far by the slides themselves as by their covariance', () => {
    const [count, dim] = [12, 30];
    const data = noise(count, dim);
    const dual = fitTypicality({ data, count, dim });
    expect(dual.dual).not.toBeNull();
    // The same covariance written out: Sigma = (1 - s) X'X / n + s mu I, solved by elimination.
    const centred = data.map((value, at) => value - (dual.mean[at % dim] ?? 0));
    const trace = centred.reduce((sum, value) => sum + value * value, 0) / count;
    const rows = Array.from({ length: dim }, (_, a) =>
      Array.from({ length: dim }, (_, b) => {
        let sum = 0;
        for (let i = 0; i < count; i++) sum += (centred[i * dim + a] ?? 0) * (centred[i * dim + b] ?? 0);
        return ((1 - dual.shrinkage) * sum) / count + (a === b ? (dual.shrinkage * trace) / dim : 0);
      }),
    );
    const probe = noise(1, dim);
    const y = Array.from(probe, (value, j) => value - (dual.mean[j] ?? 0));
    const solved = solve(rows, y);
    const expected = Math.sqrt(y.reduce((sum, value, j) => sum + value * (solved[j] ?? 0), 0));
    expect(mahalanobis(dual, { data: probe, count: 1, dim })[0]).toBeCloseTo(expected, 9);
  });

  it('are told apart with the threshold of held-out slides', () => {
    const dim = 24;
    const bags = (count: number, shift: number) =>
      Array.from({ length: count }, () =>
        slideVector(
          Float32Array.from({ length: 20 * dim }, () => nextGaussian(random) + shift),
          dim,
        ),
      );
    const vectors = bags(60, 0);
    const cases = vectors.map((_, i) => ({ id: `${i}`, label: i % 2 === 0 ? 'a' : 'b', group: `${i}` }));
    const { splits } = plannedSplits(cases, { ...PLAN, splitting: { kind: 'folds', folds: 5, repeats: 1 } });
    const training = describeTraining(vectors, splits, dim);
    if (training === null) throw new Error('60 slides are enough');
    const share = (list: readonly Float64Array[]) =>
      list.filter((vector) => compareWithTraining(training, vector).unlike).length / list.length;
    expect(share(bags(200, 0))).toBeLessThan(0.15);
    expect(share(bags(40, 0.6))).toBe(1);
    expect(describeTraining(vectors.slice(0, 6), [], dim)).toBeNull();
  });

  it('are told by their colours where their features are alike, and by features alone where colours are not known', () => {
    const dim = 24;
    const slides = (count: number, stain: number, hasPixels = true) =>
      Array.from({ length: count }, () =>
        slideVector(
          Float32Array.from({ length: 20 * dim }, () => nextGaussian(random)),
          dim,
          hasPixels ? Float64Array.from({ length: APPEARANCE_DIM }, () => stain + 0.1 * nextGaussian(random)) : null,
        ),
      );
    const known = slides(40, -1);
    const cases = known.map((_, i) => ({ id: `${i}`, label: i % 2 === 0 ? 'a' : 'b', group: `${i}` }));
    const { splits } = plannedSplits(cases, { ...PLAN, splitting: { kind: 'folds', folds: 5, repeats: 1 } });
    const training = describeTraining(known, splits, dim);
    if (training === null) throw new Error('40 slides are enough');
    const share = (of: typeof training, list: readonly Float64Array[]) =>
      list.filter((vector) => compareWithTraining(of, vector).unlike).length / list.length;
    const [paler = new Float64Array()] = slides(1, -1.5);
    const answer = compareWithTraining(training, paler);
    expect(answer).toMatchObject({ unlike: true, notCompared: [] });
    expect(answer.parts[0]?.part).toMatch(/colours|density/);
    expect(share(training, slides(100, -1))).toBeLessThan(0.15);
    const [unknown = new Float64Array()] = slides(1, 0, false);
    expect(compareWithTraining(training, unknown).notCompared).toEqual(['sharpness', 'colours', 'density']);
    expect(share(training, slides(100, 0, false))).toBeLessThan(0.15);
    // Studies trained before pixels were looked at, and those whose slides are known by their features alone.
    const older = known.map((vector) => vector.slice(0, 2 * dim));
    const partly = known.map((vector, i) => (i < 36 ? unknown : vector));
    for (const vectors of [older, partly]) {
      const without = describeTraining(vectors, splits, dim);
      if (without === null) throw new Error('40 slides are enough');
      expect(without.knowsPixels).toBe(false);
      const answer = compareWithTraining(without, paler);
      expect(answer).toMatchObject({ notCompared: ['sharpness', 'colours', 'density'] });
      expect(answer.distance).toBeGreaterThan(0);
    }
    // Those trained when only the colours were kept are still compared by them.
    const colours = describeTraining(
      known.map((vector) => vector.slice(0, 2 * dim + COLOUR_DIM)),
      splits,
      dim,
    );
    if (colours === null) throw new Error('40 slides are enough');
    expect(compareWithTraining(colours, paler)).toMatchObject({ unlike: true, notCompared: ['sharpness', 'density'] });
    // Those that do not know how the stains mix are compared in all else.
    const unmixed = describeTraining(
      known.map((vector) => vector.slice(0, 2 * dim + MIXTURE_AT)),
      splits,
      dim,
    );
    if (unmixed === null) throw new Error('40 slides are enough');
    expect(compareWithTraining(unmixed, paler)).toMatchObject({ unlike: true, notCompared: [] });
    expect(compareWithTraining(unmixed, paler).differences).toContainEqual(
      expect.objectContaining({ trait: 'darkness', more: false }),
    );
    expect(share(unmixed, slides(100, -1))).toBeLessThan(0.15);
  });

  it.each([10, 30])('are like a study of %i slides of two stains in either of them, blurred they are not', (count) => {
    const dim = 24;
    const slides = (howMany: number, blur: number, stainOf: (i: number) => number) =>
      Array.from({ length: howMany }, (_, i) => {
        const appearance = Float64Array.from({ length: APPEARANCE_DIM }, (_, at) => {
          const noise = 0.1 * nextGaussian(random);
          return noise + (at >= HUE_AT ? stainOf(i) : at >= SHARPNESS_AT ? -blur : 0);
        });
        const features = Float64Array.from({ length: 20 * dim }, () => nextGaussian(random));
        return slideVector(new Float32Array(features), dim, appearance);
      });
    const mixed = slides(count, 0, (i) => (i % 4 < 2 ? 0 : 1));
    const cases = mixed.map((_, i) => ({ id: `${i}`, label: i % 2 === 0 ? 'a' : 'b', group: `${i}` }));
    const { splits } = plannedSplits(cases, { ...PLAN, splitting: { kind: 'folds', folds: 5, repeats: 1 } });
    const training = describeTraining(mixed, splits, dim);
    if (training === null) throw new Error('the slides are enough');
    const share = (list: readonly Float64Array[]) =>
      list.filter((vector) => compareWithTraining(training, vector).unlike).length / list.length;
    for (const stain of [0, 1]) expect(share(slides(60, 0, () => stain))).toBeLessThan(0.2);
    expect(share(slides(40, 1, (i) => i % 2))).toBe(1);
    expect(share(slides(40, 0, () => 3))).toBe(1);
    const [blurred = new Float64Array()] = slides(1, 1, () => 1);
    expect(describeDifferences(compareWithTraining(training, blurred))).toContain(
      'its sharpness (blurrier than any slide of the study)',
    );
  });

  it.each([10, 20, 40])(
    'are told by what varies less within them, as in a blurred slide, from %i slides on',
    (count) => {
      // Slides differ far more from each other than a blurred one from itself: only the spread within it tells.
      const dim = 24;
      const bag = (spread: number): Float32Array => {
        const own = Array.from({ length: dim }, () => 2 * nextGaussian(random));
        return Float32Array.from({ length: 60 * dim }, (_, at) => spread * nextGaussian(random) + (own[at % dim] ?? 0));
      };
      const vectors = (howMany: number, spread: number) =>
        Array.from({ length: howMany }, () => slideVector(bag(spread), dim));
      const known = vectors(count, 1);
      const cases = known.map((_, i) => ({ id: `${i}`, label: i % 2 === 0 ? 'a' : 'b', group: `${i}` }));
      const { splits } = plannedSplits(cases, { ...PLAN, splitting: { kind: 'folds', folds: 5, repeats: 1 } });
      const training = describeTraining(known, splits, dim);
      const meansOnly = describeTraining(
        known.map((vector) => vector.slice(0, dim)),
        splits,
        dim,
      );
      if (training === null || meansOnly === null) throw new Error(`${count} slides are enough`);
      const share = (of: typeof training, list: readonly Float64Array[]) =>
        list.filter((vector) => compareWithTraining(of, vector).unlike).length / list.length;
      const blurred = vectors(40, 0.6);
      expect(share(training, blurred)).toBe(1);
      expect(share(meansOnly, blurred)).toBeLessThan(0.3);
      expect(share(training, vectors(60, 1))).toBeLessThan(0.25);
    },
  );
});

function solve(matrix: number[][], right: readonly number[]): number[] {
  const n = right.length;
  const rows = matrix.map((row, i) => [...row, right[i] ?? 0]);
  for (let c = 0; c < n; c++) {
    const pivot = rows[c] ?? [];
    for (let r = 0; r < n; r++) {
      const row = rows[r] ?? [];
      const factor = (row[c] ?? 0) / (pivot[c] ?? 1);
      if (r !== c) rows[r] = row.map((value, k) => value - factor * (pivot[k] ?? 0));
    }
  }
  return rows.map((row, i) => (row[n] ?? 0) / (row[i] ?? 1));
}

describe('the calibration error of a study', () => {
  it('lies within its interval, which the plain percentiles of the bootstrap miss', async () => {
    // Calibrated by construction: labels are drawn with the probabilities themselves.
    const random = seededRandom(3);
    const rows = Array.from({ length: 40 }, () => {
      const p = random();
      return { p, label: random() < p ? 1 : 0 };
    });
    const cases = rows.map(({ label }, i) => ({ id: `${i}`, label: label === 1 ? 'b' : 'a', group: `${i}` }));
    const predictions = rows.map(({ p }, caseIndex) => ({
      ...{ caseIndex, fold: 0, probabilities: [1 - p, p], bySeed: [[1 - p, p]] },
    }));
    const plain = (chosen: Uint32Array) =>
      expectedCalibrationError(
        Array.from(chosen, (i) => rows[i]?.label ?? 0),
        Array.from(chosen, (i) => rows[i]?.p ?? 0),
      );
    const percentile = bootstrapInterval(rows.length, null, plain, { seed: 1, resamples: 500 });
    const figures = await studyFigures(cases, ['a', 'b'], predictions, {
      ...{ splitSeed: 1, positive: 1, resamples: 500 },
      thresholds: [{ ofMean: 0.5, bySeed: [0.5] }],
    });
    const ece = figures.find(({ name }) => name === ECE);
    expect(ece?.byFold[0]).toBeCloseTo(percentile.estimate, 12);
    expect(percentile.resampleMean).toBeGreaterThan(percentile.estimate);
    expect(ece?.value).toBeLessThan(percentile.estimate);
    expect(ece?.interval?.low).toBeLessThanOrEqual(ece?.value ?? -1);
    expect(ece?.interval?.high).toBeGreaterThanOrEqual(ece?.value ?? 2);
  });
});
