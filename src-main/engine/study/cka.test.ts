import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { nextGaussian, seededRandom } from '../../../src-shared/numeric/random.ts';
import { type Activations, linearCka, linearCkaUnbiased, MinibatchCka, rbfCka } from './cka.ts';

const golden = JSON.parse(readFileSync(new URL('./study.golden.json', import.meta.url), 'utf8')) as {
  readonly cka: { readonly x: number[]; readonly y: number[] };
};
const x: Activations = { data: golden.cka.x, count: 100, dim: 10 };
const y: Activations = { data: golden.cka.y, count: 100, dim: 10 };

function noise(count: number, dim: number, seed: number): Activations {
  const random = seededRandom(seed);
  return { data: Float64Array.from({ length: count * dim }, () => nextGaussian(random)), count, dim };
}

describe('CKA', () => {
  it('gives the values of the reference notebook', () => {
    expect(linearCka(x, y)).toBeCloseTo(0.55761, 5);
    expect(linearCkaUnbiased(x, y)).toBeCloseTo(0.51346, 5);
    expect(rbfCka(x, y, 0.5)).toBeCloseTo(0.65483, 5);
  });

  it('is 1 for a layer and itself, turned and scaled', () => {
    const turned = Array.from(golden.cka.x);
    for (let i = 0; i < 100; i++) {
      const [a = 0, b = 0] = [golden.cka.x[10 * i], golden.cka.x[10 * i + 1]];
      turned[10 * i] = 0.6 * a - 0.8 * b;
      turned[10 * i + 1] = 0.8 * a + 0.6 * b;
    }
    const same: Activations = { data: turned.map((v) => 7 * v + 3), count: 100, dim: 10 };
    expect(linearCka(x, same)).toBeCloseTo(1, 12);
    expect(linearCkaUnbiased(x, same)).toBeCloseTo(1, 12);
    expect(rbfCka(x, same, 0.5)).toBeCloseTo(1, 12);
  });

  it('unbiased is near 0 for unrelated layers, where biased grows with the features', () => {
    const [a, b] = [noise(60, 300, 1), noise(60, 300, 2)];
    expect(Math.abs(linearCkaUnbiased(a, b))).toBeLessThan(0.1);
    expect(linearCka(a, b)).toBeGreaterThan(0.6);
  });

  it('batches divided once at the end come near the whole', () => {
    const sums = new MinibatchCka();
    for (let first = 0; first < 100; first += 25) {
      const cut = ({ data, dim }: Activations): Activations => ({
        data: Array.from(data).slice(first * dim, (first + 25) * dim),
        count: 25,
        dim,
      });
      sums.add(cut(x), cut(y));
    }
    expect(Math.abs(sums.value() - linearCkaUnbiased(x, y))).toBeLessThan(0.05);
  });

  it('refuses layers of different tiles, and batches too small to be unbiased', () => {
    expect(() => linearCka(x, noise(99, 10, 1))).toThrow('same tiles');
    expect(() => linearCkaUnbiased(noise(3, 4, 1), noise(3, 4, 2))).toThrow('at least four');
    expect(linearCka(x, { data: new Float64Array(100), count: 100, dim: 1 })).toBeNaN();
  });
});
