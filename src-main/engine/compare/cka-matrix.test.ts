import { describe, expect, it } from 'vitest';
import { nextGaussian, seededRandom } from '../../../src-shared/numeric/random.ts';
import { linearCka, linearCkaUnbiased, MinibatchCka } from '../study/cka.ts';
import { ckaMatrix } from './cka-matrix.ts';

const random = seededRandom(5);
function layer(name: string, count: number, dim: number, from?: Float64Array) {
  // Large means, as activations after a ReLU have them.
  const data = Float64Array.from({ length: count * dim }, (_, at) => 40 + nextGaussian(random) + (from?.[at] ?? 0));
  return { name, samples: { data, count, dim } };
}

describe('CKA of many layers', () => {
  const a = layer('a', 120, 10);
  const b = layer('b', 120, 10, a.samples.data);
  const c = layer('c', 120, 30);

  it('agrees with the estimators of single pairs, biased and unbiased', () => {
    const { biased, unbiased, layers } = ckaMatrix([a, b, c]);
    expect(layers).toEqual(['a', 'b', 'c']);
    expect(biased[0]?.[1]).toBeCloseTo(linearCka(a.samples, b.samples), 9);
    expect(biased[2]?.[0]).toBeCloseTo(linearCka(c.samples, a.samples), 9);
    expect(unbiased[0]?.[1]).toBeCloseTo(linearCkaUnbiased(a.samples, b.samples), 6);
    expect(unbiased[1]?.[1]).toBeCloseTo(1, 10);
    expect(Math.abs(unbiased[2]?.[0] ?? 1)).toBeLessThan(0.1);
  });

  it('sums the unbiased estimate over batches where there are many images', () => {
    const x = layer('x', 600, 6);
    const y = layer('y', 600, 6, x.samples.data);
    const reference = new MinibatchCka();
    for (const first of [0, 200, 400]) {
      const part = ({ samples }: typeof x) => ({
        data: samples.data.slice(first * 6, (first + 200) * 6),
        count: 200,
        dim: 6,
      });
      reference.add(part(x), part(y));
    }
    expect(ckaMatrix([x, y]).unbiased[0]?.[1]).toBeCloseTo(reference.value(), 6);
  });

  it('has no value where a layer does not vary', () => {
    const flat = { name: 'flat', samples: { data: new Float64Array(1200).fill(3), count: 120, dim: 10 } };
    expect(ckaMatrix([a, flat]).biased[0]?.[1]).toBeNaN();
  });
});
