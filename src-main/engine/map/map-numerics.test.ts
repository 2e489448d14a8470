import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { quantiles } from '../../../src-shared/numeric/quantile.ts';
import { nextGaussian, seededRandom } from '../../../src-shared/numeric/random.ts';
import { kMeans } from './clusters.ts';
import { type FeatureMatrix, featureMatrix } from './feature-matrix.ts';
import { pca } from './pca.ts';
import { distanceFromMean, mostSimilarTiles, similarityToTile, topScores } from './similarity.ts';
import { symmetricEigen } from './symmetric-eigen.ts';

interface Golden {
  readonly pca: readonly {
    readonly x: readonly number[];
    readonly dim: number;
    readonly components: readonly (readonly number[])[];
    readonly variance: readonly number[];
    readonly share: readonly number[];
    readonly scores: readonly (readonly number[])[];
  }[];
  readonly kmeans: readonly {
    readonly x: readonly number[];
    readonly dim: number;
    readonly k: number;
    readonly inertia: number;
    readonly sizes: readonly number[];
  }[];
  readonly cosine: { readonly x: readonly number[]; readonly dim: number; readonly toThird: readonly number[] };
  readonly quantiles: { readonly x: readonly number[]; readonly q: readonly number[]; readonly values: number[] };
}

const golden = JSON.parse(readFileSync(new URL('./map.golden.json', import.meta.url), 'utf8')) as Golden;
const matrix = (x: readonly number[], dim: number): FeatureMatrix => featureMatrix(Float32Array.from(x), dim);

function randomMatrix(count: number, dim: number, seed: number): FeatureMatrix {
  const random = seededRandom(seed);
  return { data: Float32Array.from({ length: count * dim }, () => nextGaussian(random)), count, dim };
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  const worst = Math.max(...Array.from(expected, (e, i) => Math.abs(e - (actual[i] ?? Number.NaN))));
  expect(worst).toBeLessThan(tolerance);
}

describe('pca', () => {
  it.each(golden.pca)('agrees with scikit-learn up to sign ($dim features)', (reference) => {
    const result = pca(matrix(reference.x, reference.dim), 3, 5);
    expectClose(result.variance, reference.variance, 1e-6);
    expectClose(result.varianceShare, reference.share, 1e-9);
    reference.components.forEach((expected, c) => {
      const component = result.components[c] ?? new Float64Array(0);
      const sign = Math.sign(expected.reduce((sum, x, j) => sum + x * (component[j] ?? 0), 0));
      expectClose(
        component,
        expected.map((x) => sign * x),
        1e-6,
      );
      const scores = reference.scores.map((_, i) => result.scores[3 * i + c] ?? 0);
      expectClose(
        scores,
        reference.scores.map((row) => sign * (row[c] ?? 0)),
        1e-5,
      );
    });
  });

  it('makes the largest loading positive and does not depend on the seed', () => {
    const features = matrix(golden.pca[0]?.x ?? [], golden.pca[0]?.dim ?? 1);
    const [one, two] = [pca(features, 3, 1), pca(features, 3, 999)];
    expectClose(one.scores, two.scores, 1e-6);
    for (const component of one.components) {
      expect(Math.max(...component)).toBe(Math.max(...component.map(Math.abs)));
    }
  });

  it('holds for noise, where no component stands out', () => {
    const features = randomMatrix(400, 300, 4);
    const result = pca(features, 3, 1);
    const [first, second] = result.components;
    expect(Math.abs(first?.reduce((sum, x, j) => sum + x * (second?.[j] ?? 0), 0) ?? 1)).toBeLessThan(1e-9);
    expect(result.varianceShare[0]).toBeGreaterThan(result.varianceShare[2] ?? 1);
  });

  it.each([
    ['one tile', 1],
    ['two tiles', 2],
    ['alike tiles', 50],
  ])('%s: no NaN', (name, count) => {
    const data = Float32Array.from({ length: count * 6 }, (_, i) => (name === 'two tiles' ? i : 0.1));
    const result = pca(featureMatrix(data, 6), 3, 1);
    expect([...result.scores, ...result.variance, ...result.varianceShare].every(Number.isFinite)).toBe(true);
    expect(result.varianceShare[0]).toBeCloseTo(name === 'two tiles' ? 1 : 0, 12);
    expect(result.varianceShare[1]).toBe(0);
  });
});

describe('symmetricEigen', () => {
  it('rebuilds the matrix from its pairs', () => {
    const n = 30;
    const random = seededRandom(9);
    const a = new Float64Array(n * n);
    for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) a[i * n + j] = a[j * n + i] = nextGaussian(random);
    const { values, vectors } = symmetricEigen(a, n);
    const rebuilt = a.map((_, at) =>
      vectors.reduce((sum, v, p) => sum + (values[p] ?? 0) * (v[Math.floor(at / n)] ?? 0) * (v[at % n] ?? 0), 0),
    );
    expectClose(rebuilt, a, 1e-12);
    expect([...values]).toEqual([...values].sort((x, y) => y - x));
  });
});

describe('kMeans', () => {
  it.each(golden.kmeans)(
    'reaches scikit-learn’s best of 50, or comes close where there are many minima (k = $k)',
    (reference) => {
      const result = kMeans(matrix(reference.x, reference.dim), { k: reference.k, seed: 1 });
      expect(result.inertia).toBeLessThan(reference.inertia * (reference.k > 5 ? 1.06 : 1.0001));
      expect(result.inertia).toBeGreaterThan(reference.inertia * 0.9999);
      if (reference.k <= 5) expect(result.sizes).toEqual(reference.sizes);
    },
  );

  it('ends where no tile is nearer to another centre, and centres are means', () => {
    const features = randomMatrix(300, 9, 2);
    const { labels, centres, inertia, sizes } = kMeans(features, { k: 7, seed: 3, sampleSize: 100 });
    const distance = (i: number, c: number) =>
      centres[c]?.reduce((sum, x, j) => sum + ((features.data[i * 9 + j] ?? 0) - x) ** 2, 0) ?? Number.NaN;
    let total = 0;
    for (let i = 0; i < 300; i++) {
      const all = centres.map((_, c) => distance(i, c));
      expect(distance(i, labels[i] ?? 0)).toBeLessThanOrEqual(Math.min(...all) + 1e-9);
      total += distance(i, labels[i] ?? 0);
    }
    expect(inertia).toBeCloseTo(total, 9);
    centres.forEach((centre, c) => {
      const mean = new Float64Array(9);
      labels.forEach((label, i) => {
        if (label === c) for (let j = 0; j < 9; j++) mean[j] = (mean[j] ?? 0) + (features.data[i * 9 + j] ?? 0);
      });
      expectClose(
        centre,
        mean.map((x) => x / (sizes[c] ?? 1)),
        1e-9,
      );
    });
  });

  it('gives the same clusters for the same seed, largest first', () => {
    const features = randomMatrix(500, 6, 8);
    const result = kMeans(features, { k: 6, seed: 11 });
    expect(kMeans(features, { k: 6, seed: 11 })).toEqual(result);
    expect(result.sizes).toEqual([...result.sizes].sort((a, b) => b - a));
    expect(result.sizes.reduce((a, b) => a + b)).toBe(500);
    result.sizes.forEach((size, c) => {
      expect(result.labels.filter((label) => label === c)).toHaveLength(size);
    });
  });

  it('gives fewer clusters where there are fewer kinds of tile', () => {
    const alike = featureMatrix(new Float32Array(40).fill(0.3), 4);
    expect(kMeans(alike, { k: 5, seed: 1 })).toMatchObject({ sizes: [10], inertia: 0 });
    const two = featureMatrix(Float32Array.of(0, 0, 0, 0, 9, 9, 0, 0), 2);
    expect(kMeans(two, { k: 5, seed: 1 }).labels).toEqual(Uint32Array.of(0, 0, 1, 0));
    expect(kMeans(featureMatrix(Float32Array.of(1, 2), 2), { k: 3, seed: 1 }).sizes).toEqual([1]);
    expect(kMeans({ data: new Float32Array(0), count: 0, dim: 2 }, { k: 3, seed: 1 }).sizes).toEqual([]);
  });
});

describe('similarity', () => {
  it('agrees with scikit-learn', () => {
    const { x, dim, toThird } = golden.cosine;
    expectClose(similarityToTile(matrix(x, dim), 3), toThird, 1e-12);
  });

  it('ranks best first, equals by index, the query left out', () => {
    const features = featureMatrix(Float32Array.of(1, 0, 2, 0, 0, 1, 3, 0, 0, 0), 2);
    expect(mostSimilarTiles(features, 0, 3)).toEqual([
      { index: 1, score: 1 },
      { index: 3, score: 1 },
      { index: 2, score: 0 },
    ]);
    expect(topScores([1, Number.NaN, 3], 9)).toHaveLength(2);
  });

  it('takes zero vectors as like nothing, themselves included', () => {
    const features = featureMatrix(Float32Array.of(0, 0, 1, 1), 2);
    expect([...similarityToTile(features, 0)]).toEqual([0, 0]);
    expect([...similarityToTile(features, 1)]).toEqual([0, 1]);
  });

  it('refuses a tile that is not there', () => {
    expect(() => similarityToTile(featureMatrix(Float32Array.of(1, 2), 1), 2)).toThrow('no such tile');
  });

  it('measures how unusual a tile is', () => {
    const distances = distanceFromMean(featureMatrix(Float32Array.of(-1, 1, -1, 1), 1));
    expect([...distances]).toEqual([1, 1, 1, 1]);
    expect([...distanceFromMean(featureMatrix(new Float32Array(4).fill(2), 1))]).toEqual([0, 0, 0, 0]);
  });
});

describe('featureMatrix', () => {
  it('names the tile whose features are not numbers', () => {
    const data = Float32Array.of(0, 1, 2, Number.NaN);
    expect(() => featureMatrix(data, 2)).toThrow(expect.objectContaining({ code: 'BackboneFailed' }));
    expect(() => featureMatrix(Float32Array.of(Number.NEGATIVE_INFINITY), 1)).toThrow('not numbers');
    expect(() => featureMatrix(data, 3)).toThrow(expect.objectContaining({ code: 'InvalidRequest' }));
  });
});

describe('quantiles', () => {
  it('agree with numpy', () => {
    expectClose(quantiles(golden.quantiles.x, golden.quantiles.q), golden.quantiles.values, 1e-12);
    expect(quantiles([Number.NaN, 4], [0.5])).toEqual([4]);
    expect(quantiles([], [0.5])[0]).toBeNaN();
  });
});
