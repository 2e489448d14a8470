import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { nextGaussian, seededRandom } from '../../../src-shared/numeric/random.ts';
import { InferenceWorker } from '../infer/inference-worker.ts';
import { linearCka, linearCkaUnbiased, MinibatchCka, rbfCka } from '../study/cka.ts';
import { type CkaLayer, fineTuneChange, ckaMatrix as matrixOf } from './cka-matrix.ts';

const worker = new InferenceWorker();
afterAll(() => worker.close());
const ckaMatrix = (layers: readonly CkaLayer[]) => matrixOf(layers, { worker, threads: 1 });

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

  it('gives the values of the reference notebook', async () => {
    const path = new URL('../study/study.golden.json', import.meta.url);
    const { cka } = JSON.parse(readFileSync(path, 'utf8')) as { cka: Record<'x' | 'y', number[]> };
    const of = (name: 'x' | 'y') => ({ name, samples: { data: Float64Array.from(cka[name]), count: 100, dim: 10 } });
    const { biased, unbiased, rbf } = await ckaMatrix([of('x'), of('y')]);
    expect(biased[0]?.[1]).toBeCloseTo(0.55761, 5);
    expect(unbiased[0]?.[1]).toBeCloseTo(0.51346, 5);
    expect(rbf?.biased[0]?.[1]).toBeCloseTo(0.65483, 5);
    expect(rbf?.unbiased[1]?.[0]).toBeLessThan(0.65);
  });

  it('agrees with the estimators of single pairs, biased and unbiased, linear and Gaussian', async () => {
    const { biased, unbiased, layers, rbf } = await ckaMatrix([a, b, c]);
    expect(rbf?.biased[0]?.[2]).toBeCloseTo(rbfCka(a.samples, c.samples, 0.5), 4);
    expect(layers).toEqual(['a', 'b', 'c']);
    expect(biased[0]?.[1]).toBeCloseTo(linearCka(a.samples, b.samples), 5);
    expect(biased[2]?.[0]).toBeCloseTo(linearCka(c.samples, a.samples), 5);
    expect(unbiased[0]?.[1]).toBeCloseTo(linearCkaUnbiased(a.samples, b.samples), 5);
    expect(unbiased[1]?.[1]).toBeCloseTo(1, 10);
    expect(Math.abs(unbiased[2]?.[0] ?? 1)).toBeLessThan(0.1);
  });

  it('sums the unbiased estimate over batches where there are many images', async () => {
    const x = layer('x', 1200, 6);
    const y = layer('y', 1200, 6, x.samples.data);
    const reference = new MinibatchCka();
    for (const first of [0, 400, 800]) {
      const part = ({ samples }: typeof x) => ({
        data: samples.data.slice(first * 6, (first + 400) * 6),
        count: 400,
        dim: 6,
      });
      reference.add(part(x), part(y));
    }
    expect((await ckaMatrix([x, y])).unbiased[0]?.[1]).toBeCloseTo(reference.value(), 5);
  });

  it('has no value where a layer does not vary, and one where it is tiny', async () => {
    const flat = { name: 'flat', samples: { data: new Float64Array(1200).fill(3), count: 120, dim: 10 } };
    const tiny = { name: 'tiny', samples: { ...a.samples, data: a.samples.data.map((value) => 1e-9 * value) } };
    const { biased, rbf } = await ckaMatrix([a, flat, tiny]);
    expect(biased[0]?.[1]).toBeNaN();
    expect(biased[0]?.[2]).toBeCloseTo(1, 5);
    expect(rbf?.unbiased[0]?.[2]).toBeCloseTo(1, 5);
  });

  it('refuses layers of different images, and takes out what fine-tuning changed', async () => {
    await expect(ckaMatrix([a, layer('d', 119, 3)])).rejects.toThrow('same images');
    const before = { ...a, name: 'net@late' };
    const change = fineTuneChange(await ckaMatrix([before, { ...b, name: 'net, tuned@late' }]), 'net', 'net, tuned');
    expect(change.cuts).toHaveLength(1);
    expect(change.cuts[0]?.biased).toBeCloseTo(linearCka(a.samples, b.samples), 5);
  });
});
