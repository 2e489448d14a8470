import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { nextGaussian, seededRandom } from '../../../src-shared/numeric/random.ts';
import { knowledgeGain, paretoFront, sweetSpot } from './knowledge-gain.ts';
import { minimise } from './lbfgs.ts';
import { decisionValues, fitStandardiser, predictedClasses, type Samples, standardised } from './linear-model.ts';
import { fitLinearSvm } from './linear-svm.ts';
import { classProbabilities, fitLogisticRegression } from './logistic-regression.ts';
import { accuracy } from './metrics.ts';
import { fitProbe, PROBE_C_GRID, type ProbeTask, scoreProbe, taskRows } from './probe.ts';

interface Case {
  readonly classes: number;
  readonly dim: number;
  readonly c: number;
  readonly x: number[];
  readonly y: number[];
  readonly svm: number[];
  readonly svmAccuracy: number;
  readonly logistic: number[];
  readonly logisticAccuracy: number;
}

const golden = JSON.parse(readFileSync(new URL('./linear-models.golden.json', import.meta.url), 'utf8')) as {
  readonly cases: Case[];
};
const samplesOf = ({ x, dim }: Case): Samples => ({ data: Float32Array.from(x), count: x.length / dim, dim });
const worst = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Math.max(...Array.from(a, (value, i) => Math.abs(value - (b[i] ?? Number.NaN))));

describe.each(golden.cases)('$classes classes, C = $c', (reference) => {
  const samples = samplesOf(reference);

  it('the linear SVM decides as scikit-learn’s LinearSVC', () => {
    const options = { c: reference.c, seed: 3, tolerance: 1e-9, maxPasses: 100_000 };
    const model = fitLinearSvm(samples, reference.y, reference.classes, options);
    const values = decisionValues(model, samples);
    expect(model.converged).toBe(true);
    expect(values).toHaveLength(reference.svm.length);
    expect(worst(values, reference.svm)).toBeLessThan(1e-3);
    expect(accuracy(reference.y, predictedClasses(model, samples))).toBe(reference.svmAccuracy);
  });

  it('the default tolerance decides nearly the same', () => {
    const model = fitLinearSvm(samples, reference.y, reference.classes, { c: reference.c, seed: 1 });
    expect(worst(decisionValues(model, samples), reference.svm)).toBeLessThan(1e-3);
  });

  it('logistic regression gives scikit-learn’s probabilities', () => {
    const model = fitLogisticRegression(samples, reference.y, reference.classes, { c: reference.c });
    expect(model.converged).toBe(true);
    expect(worst(classProbabilities(model, samples), reference.logistic)).toBeLessThan(1e-5);
    expect(accuracy(reference.y, predictedClasses(model, samples))).toBe(reference.logisticAccuracy);
  });
});

/** Groups of four rows; the class shows in the first feature, as strongly as `signal`. */
function task(signal: number, seed: number, classes = 2, groups = 60): ProbeTask {
  const random = seededRandom(seed);
  const dim = 6;
  const count = groups * 4;
  const labels = Uint32Array.from({ length: count }, (_, i) => Math.floor(i / 4) % classes);
  const data = new Float32Array(count * dim);
  labels.forEach((label, i) => {
    for (let j = 0; j < dim; j++) data[i * dim + j] = nextGaussian(random) + (j === label ? signal : 0);
  });
  return {
    samples: { data, count, dim },
    labels,
    classes,
    groups: Array.from({ length: count }, (_, i) => `patient ${Math.floor(i / 4)}`),
  };
}

describe('fitProbe', () => {
  it.each(['svm', 'logistic'] as const)('%s: finds a planted signal on unseen patients', (kind) => {
    const all = task(2, 1);
    const rows = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
    const probe = fitProbe(taskRows(all, rows(0, 160)), { kind, seed: 1, standardise: true });
    const score = scoreProbe(probe, taskRows(all, rows(160, 240)));
    expect(score.auc).toBeGreaterThan(0.9);
    expect(PROBE_C_GRID).toContain(probe.chosen.c);
    expect(probe.chosen).toMatchObject({ metric: 'auc' });
    expect(probe.chosen.candidates).toHaveLength(11);
  });

  it('finds nothing where there is nothing: the validation score stays at chance', () => {
    const probe = fitProbe(task(0, 5), { kind: 'logistic', seed: 1, grid: [0.01, 1] });
    for (const { meanScore } of probe.chosen.candidates) expect(Math.abs(meanScore - 0.5)).toBeLessThan(0.1);
  });

  it('judges several classes by accuracy', () => {
    const probe = fitProbe(task(3, 2, 3), { kind: 'svm', seed: 1, grid: [0.01, 0.1] });
    expect(probe.chosen.metric).toBe('accuracy');
    expect(scoreProbe(probe, task(3, 9, 3)).accuracy).toBeGreaterThan(0.85);
  });

  it('does not learn a patient: features that name the patient score at chance', () => {
    const plain = task(0, 7);
    const data = plain.samples.data.map((v, at) => (at % 6 === 0 ? Math.floor(at / 24) * 10 : v));
    const probe = fitProbe({ ...plain, samples: { ...plain.samples, data } }, { kind: 'svm', seed: 1, grid: [1e-4] });
    expect(probe.chosen.candidates[0]?.meanScore).toBeLessThan(0.65);
  });

  it('is the same for the same seed, and refuses what cannot be learnt', () => {
    const options = { kind: 'svm', seed: 4, grid: [0.1] } as const;
    expect(fitProbe(task(1, 1), options)).toEqual(fitProbe(task(1, 1), options));
    const broken = task(1, 1);
    broken.samples.data[7] = Number.NaN;
    expect(() => fitProbe(broken, options)).toThrow('row 1 are not numbers');
    const one = { ...task(1, 1), labels: new Uint32Array(240) };
    expect(() => fitProbe(one, options)).toThrow('at least two classes');
    const lonely = { ...task(1, 1), labels: Uint32Array.from({ length: 240 }, (_, i) => (i < 4 ? 1 : 0)) };
    expect(() => fitProbe(lonely, options)).toThrow('Class 1 has 1 patient');
  });
});

describe('linear tools', () => {
  it('standardises by the training part, and leaves a constant feature alone', () => {
    const train: Samples = { data: Float64Array.of(1, 5, 3, 5), count: 2, dim: 2 };
    expect([...standardised(train, fitStandardiser(train)).data]).toEqual([-1, 0, 1, 0]);
  });

  it('L-BFGS finds the bottom of Rosenbrock’s valley', () => {
    const valley = (x: Float64Array, gradient: Float64Array) => {
      const [a = 0, b = 0] = x;
      gradient[0] = -2 * (1 - a) - 400 * a * (b - a * a);
      gradient[1] = 200 * (b - a * a);
      return (1 - a) ** 2 + 100 * (b - a * a) ** 2;
    };
    const found = minimise(valley, Float64Array.of(-1.2, 1), 1e-8, 500);
    expect(found.converged).toBe(true);
    expect(worst(found.x, [1, 1])).toBeLessThan(1e-6);
  });
});

describe('knowledge gain', () => {
  it('peaks where the signal is, and is flagged where random weights do as well', () => {
    const layers = [
      { cut: 'layer1', cumulativeParameters: 10, pretrained: 0.9, random: [0.6, 0.62, 0.58] },
      { cut: 'layer2', cumulativeParameters: 20, pretrained: 0.71, random: [0.7, 0.72, 0.68] },
    ];
    const [first, second] = knowledgeGain(layers);
    expect(first?.gain).toBeCloseTo(0.3, 12);
    expect(first).toMatchObject({ incremental: null, noBetterThanRandom: false });
    expect(first?.normalised).toBeCloseTo(0.75, 12);
    expect(second).toMatchObject({ noBetterThanRandom: true });
    expect(second?.incremental).toBeCloseTo(-0.19, 12);
  });

  it('names the cheapest good cut and the front', () => {
    const cuts = [
      { cut: 'a', score: 0.7, cost: 1 },
      { cut: 'b', score: 0.9, cost: 5 },
      { cut: 'c', score: 0.85, cost: 9 },
      { cut: 'd', score: 0.91, cost: 20 },
    ];
    expect(sweetSpot(cuts, 0.02)?.cut).toBe('b');
    expect(sweetSpot(cuts, 0)?.cut).toBe('d');
    expect(sweetSpot([], 0.1)).toBeNull();
    expect(paretoFront(cuts).map(({ cut }) => cut)).toEqual(['a', 'b', 'd']);
  });
});
