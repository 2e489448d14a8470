import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { nextGaussian, seededRandom } from '../../../src-shared/numeric/random.ts';
import type { BootstrapInterval } from './bootstrap.ts';
import { taken } from './bootstrap.ts';
import { type Contender, claimSentence, pairedDifference, whatMayBeClaimed } from './claims.ts';
import type { Samples } from './linear-model.ts';
import { rocAuc } from './metrics.ts';
import { nearestNeighbourShares } from './nearest-neighbours.ts';
import { fitTypicality, heldOutQuantile, mahalanobis } from './typicality.ts';

const { covariance } = JSON.parse(readFileSync(new URL('./linear-models.golden.json', import.meta.url), 'utf8')) as {
  readonly covariance: {
    readonly x: number[];
    readonly dim: number;
    readonly shrinkage: number;
    readonly distances: number[];
    readonly neighbours: number[];
  };
};

const rows = (from: number, to: number): Samples => ({
  data: Float64Array.from(covariance.x.slice(from * 9, to * 9)),
  count: to - from,
  dim: 9,
});

describe('claims', () => {
  const resnet: Contender = { name: 'ImageNet ResNet18', architecture: 'resnet18', origin: 'imagenet' };
  const ciga: Contender = { name: 'Ciga ResNet18', architecture: 'resnet18', origin: 'histology' };
  const shuffle: Contender = { name: 'ShuffleNet MSI', architecture: 'shufflenet', origin: 'histology' };
  const clear: BootstrapInterval = {
    estimate: 0.041,
    low: 0.012,
    high: 0.073,
    standardError: 0.016,
    resampleMean: 0.041,
    undefinedResamples: 0,
    groups: 40,
    rowsAsGroups: false,
  };

  it('says who is better, by how much and how surely', () => {
    const sentence = claimSentence({ a: resnet, b: ciga, figure: 'AUC', difference: clear, correctedP: null });
    expect(sentence).toBe('Ciga ResNet18 is better than ImageNet ResNet18: +4.1 AUC points, 95 % interval 1.2 to 7.3.');
  });

  it('claims nothing where zero is inside, or the corrected p value is not small', () => {
    const open = { ...clear, low: -0.01 };
    const claim = { a: resnet, b: ciga, figure: 'AUC', difference: open, correctedP: null };
    expect(claimSentence(claim)).toContain('No difference between');
    expect(claimSentence(claim)).toContain('\u22121.0 to 7.3');
    expect(claimSentence({ ...claim, difference: clear, correctedP: 0.2 })).toContain('No difference between');
    expect(claimSentence({ ...claim, difference: clear, correctedP: 0.0001 })).toContain('p < 0.001.');
  });

  it('does not put a difference down to training where the architecture differs too', () => {
    const claim = { a: resnet, b: shuffle, figure: 'AUC', difference: clear, correctedP: null };
    expect(claimSentence(claim)).toContain('cannot be put down to either');
    expect(claimSentence({ ...claim, difference: { ...clear, rowsAsGroups: true } })).toContain('optimistic');
  });

  it('takes two graphs of unstated architecture for different ones', () => {
    const [a, b] = [resnet, shuffle].map((it) => ({ ...it, architecture: 'ONNX graph' })) as [Contender, Contender];
    const claim = { a, b, figure: 'AUC', difference: clear, correctedP: null };
    expect(claimSentence(claim)).toContain('cannot be put down to either');
    expect(whatMayBeClaimed([a, b])).toEqual([expect.stringContaining('cannot be said that histology beats ImageNet')]);
  });

  it('says what a set of backbones can tell of training at all', () => {
    const twin: Contender = { name: 'twin', architecture: 'resnet18', origin: 'random' };
    expect(whatMayBeClaimed([resnet, ciga])).toEqual([
      'ImageNet ResNet18 and Ciga ResNet18 have the same architecture (resnet18): a difference between them is one of ' +
        'training (imagenet, histology).',
    ]);
    const [worth, none] = whatMayBeClaimed([resnet, shuffle, twin]);
    expect(worth).toContain('what training is worth, not which');
    expect(none).toContain('cannot be said');
    expect(whatMayBeClaimed([resnet, twin])).toHaveLength(1);
  });

  it('pairing narrows the interval: what is hard for both cancels', () => {
    const random = seededRandom(1);
    const truth = Array.from({ length: 80 }, (_, i) => i % 2);
    const a = truth.map((t) => 0.8 * t + nextGaussian(random));
    const b = a.map((score) => score + 0.05 * nextGaussian(random));
    const auc = (scores: number[]) => (drawn: Uint32Array) => rocAuc(taken(truth, drawn), taken(scores, drawn));
    const paired = pairedDifference(80, null, auc(a), auc(b), { seed: 1, resamples: 400 });
    expect(paired.high - paired.low).toBeLessThan(0.05);
    expect(pairedDifference(80, null, auc(a), auc(a), { seed: 1, resamples: 50 })).toMatchObject({ low: 0, high: 0 });
  });
});

describe('typicality', () => {
  it('agrees with scikit-learn’s LedoitWolf', () => {
    const model = fitTypicality(rows(0, 25));
    expect(model.shrinkage).toBeCloseTo(covariance.shrinkage, 12);
    mahalanobis(model, rows(0, 25)).forEach((distance, i) => {
      expect(distance).toBeCloseTo(covariance.distances[i] ?? Number.NaN, 9);
    });
  });

  it('tells an unlike slide from held-out ones, with fewer slides than features', () => {
    const random = seededRandom(3);
    const dim = 60;
    const slides = (count: number, shift: number): Samples => ({
      data: Float64Array.from({ length: count * dim }, () => nextGaussian(random) + shift),
      count,
      dim,
    });
    const model = fitTypicality(slides(40, 0));
    const threshold = heldOutQuantile(mahalanobis(model, slides(200, 0)), 0.95);
    const share = (samples: Samples) => {
      return mahalanobis(model, samples).filter((distance) => distance > threshold).length / samples.count;
    };
    expect(Math.abs(share(slides(400, 0)) - 0.05)).toBeLessThan(0.04);
    expect(share(slides(50, 2))).toBe(1);
  });

  it('refuses slides that are all the same', () => {
    expect(() => fitTypicality({ data: new Float64Array(12).fill(2), count: 4, dim: 3 })).toThrow('Too few different');
  });
});

describe('nearestNeighbourShares', () => {
  it('agrees with scikit-learn', () => {
    const labels = Array.from({ length: 20 }, (_, i) => i % 3);
    const shares = nearestNeighbourShares(rows(0, 20), labels, 3, rows(20, 25), 5);
    shares.forEach((share, i) => {
      expect(share).toBeCloseTo(covariance.neighbours[i] ?? Number.NaN, 12);
    });
  });

  it('takes all rows where k is too large, and equals in order', () => {
    const train: Samples = { data: Float64Array.of(1, 0, 1, 0, 0, 1), count: 3, dim: 2 };
    const test: Samples = { data: Float64Array.of(2, 0), count: 1, dim: 2 };
    expect([...nearestNeighbourShares(train, [0, 1, 1], 2, test, 1)]).toEqual([1, 0]);
    expect(nearestNeighbourShares(train, [0, 1, 1], 2, test, 9)[1]).toBeCloseTo(2 / 3, 12);
  });
});
