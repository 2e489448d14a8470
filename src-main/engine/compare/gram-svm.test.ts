import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { nextGaussian, seededRandom } from '../../../src-shared/numeric/random.ts';
import { decisionValues, type Samples } from '../study/linear-model.ts';
import { fitLinearSvm } from '../study/linear-svm.ts';
import { fitProbe, taskRows } from '../study/probe.ts';
import { dualDecisions, fitGramSvm, gramOf, gramPart } from './gram-svm.ts';
import { probePart } from './probe-part.ts';
import { fitRowSvm, rowDecisions, withOffset } from './row-svm.ts';

function planted(count: number, dim: number, classes: number, seed: number): { samples: Samples; labels: Uint32Array } {
  const random = seededRandom(seed);
  const labels = Uint32Array.from({ length: count }, (_, i) => i % classes);
  const data = Float64Array.from({ length: count * dim }, (_, at) => {
    const row = Math.floor(at / dim);
    return 2 + nextGaussian(random) + (at % dim === (labels[row] ?? 0) ? 1.2 : 0);
  });
  return { samples: { data, count, dim }, labels };
}

describe('the SVM on inner products', () => {
  it.each([
    [2, 0.01],
    [3, 0.1],
    [3, 1],
  ])('has the optimum of the SVM on features: %i classes, C = %d', (classes, c) => {
    const { samples, labels } = planted(90, 40, classes, 4);
    const rows = Array.from({ length: 60 }, (_, i) => i);
    const rest = Array.from({ length: 30 }, (_, i) => 60 + i);
    const gram = gramOf(samples);
    const settings = { c, seed: 1, tolerance: 1e-7, maxPasses: 20_000 };
    const dual = fitGramSvm(gramPart(gram, rows), labels.slice(0, 60), classes, settings);
    const plain = fitLinearSvm(
      { data: samples.data.slice(0, 60 * 40), count: 60, dim: 40 },
      labels.slice(0, 60),
      classes,
      settings,
    );
    expect(dual.converged && plain.converged).toBe(true);
    const expected = decisionValues(plain, { data: samples.data.slice(60 * 40), count: 30, dim: 40 });
    const found = dualDecisions(dual, gramPart(gram, rest, rows), 30);
    found.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i] ?? Number.NaN, 4);
    });
  });

  it('agrees with LinearSVC on golden data', () => {
    const url = new URL('../study/linear-models.golden.json', import.meta.url);
    const golden = JSON.parse(readFileSync(url, 'utf8')) as { cases: Golden[] };
    for (const { x, y, dim, classes, c, svm } of golden.cases) {
      const gram = gramOf({ data: Float32Array.from(x), count: y.length, dim });
      const model = fitGramSvm(gram.values, y, classes, { c, seed: 1, tolerance: 1e-9, maxPasses: 100_000 });
      const found = dualDecisions(model, gram.values, y.length);
      const gap = Math.max(...found.map((value, i) => Math.abs(value - (svm[i] ?? Number.NaN))));
      expect(gap).toBeLessThan(1e-3);
    }
  });

  it('gives the same, step for step, on the features themselves', () => {
    for (const classes of [2, 3]) {
      const { samples, labels } = planted(90, 12, classes, 4);
      const rows = Array.from({ length: 60 }, (_, i) => i);
      const rest = Array.from({ length: 30 }, (_, i) => 60 + i);
      const settings = { c: 0.1, seed: 1, tolerance: 1e-3, maxPasses: 40 };
      const gram = gramOf(samples);
      const dual = fitGramSvm(gramPart(gram, rows), labels.slice(0, 60), classes, settings);
      const plain = fitRowSvm(withOffset(samples, rows), labels.slice(0, 60), classes, settings);
      expect(plain.converged).toBe(dual.converged);
      const expected = dualDecisions(dual, gramPart(gram, rest, rows), 30);
      rowDecisions(plain, withOffset(samples, rest)).forEach((value, i) => {
        expect(value).toBeCloseTo(expected[i] ?? Number.NaN, 9);
      });
    }
  });

  it('chooses the C the reference probe chooses, with its scores', () => {
    const { samples, labels } = planted(120, 30, 2, 9);
    const groups = Array.from({ length: 120 }, (_, i) => `p${Math.floor(i / 4)}`);
    const train = Array.from({ length: 80 }, (_, i) => i);
    const test = Array.from({ length: 40 }, (_, i) => 80 + i);
    const input = { samples, labels, classes: 2, groups, gram: null };
    const found = probePart(input, { seed: 3, fold: 0, train, test }, { kind: 'svm' });
    const reference = fitProbe(taskRows({ samples, labels, classes: 2, groups }, train), { kind: 'svm', seed: 3 });
    const best = reference.chosen.candidates.find(({ c }) => c === reference.chosen.c);
    expect(found.chosen).toBe(reference.chosen.c);
    expect(found.innerScore).toBeCloseTo(best?.meanScore ?? Number.NaN, 2);
  });
});

interface Golden {
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly dim: number;
  readonly classes: number;
  readonly c: number;
  readonly svm: readonly number[];
}
