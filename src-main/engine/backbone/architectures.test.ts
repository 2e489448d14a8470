import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeModel } from '../graph/proto.ts';
import { InferenceWorker } from '../infer/inference-worker.ts';
import type { BuiltNetwork } from './architectures/network.ts';
import { buildResNet } from './architectures/resnet.ts';
import { IMAGENET_INPUT } from './random-resnet18.ts';
import { hashPixels, hashWeights } from './testing/hash-weights.ts';
import type { WeightSource } from './weights.ts';

interface Summary {
  readonly dim: number;
  readonly step: number;
  readonly values: readonly (readonly number[])[];
  readonly norms: readonly number[];
}

interface Golden {
  readonly heightPx: number;
  readonly widthPx: number;
  readonly count: number;
  readonly networks: Readonly<Record<string, Readonly<Record<string, Summary>>>>;
}

const golden: Golden = JSON.parse(await readFile(new URL('./architectures.golden.json', import.meta.url), 'utf8'));

const BUILDERS: Readonly<Record<string, (weights: WeightSource) => BuiltNetwork>> = {
  resnet18: (weights) => buildResNet('resnet18', weights),
  resnet34: (weights) => buildResNet('resnet34', weights),
  resnet50: (weights) => buildResNet('resnet50', weights),
};

let folder = '';
let worker: InferenceWorker;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hyaline-architectures-'));
  worker = new InferenceWorker();
});
afterAll(async () => {
  await worker.close();
  await rm(folder, { recursive: true, force: true });
});

/** Features of the golden images at every cut, in one pass: one array of rows per cut. */
async function featuresOf(network: BuiltNetwork, heightPx: number, widthPx: number): Promise<Float32Array[][]> {
  const modelPath = join(folder, 'network.onnx');
  await writeFile(modelPath, encodeModel(network.model));
  const input = { ...IMAGENET_INPUT, heightPx, widthPx };
  const { cuts, inputName } = network;
  const { session } = await worker.load({ modelPath, cuts, input, inputName, threads: 1, provider: 'cpu' });
  const { count } = golden;
  const image = hashPixels(count, heightPx, widthPx);
  const pixels = new SharedArrayBuffer(image.byteLength);
  new Uint8Array(pixels).set(image);
  const dims = cuts.map((cut) => cut.featureDim);
  const output = new SharedArrayBuffer(dims.reduce((a, b) => a + b, 0) * count * 4);
  await worker.run({ session, pixels, pixelOffset: 0, count, output, outputOffset: 0 });
  await worker.release(session);
  let offset = 0;
  return dims.map((dim) =>
    Array.from({ length: count }, () => {
      const row = new Float32Array(output, offset, dim);
      offset += dim * 4;
      return row;
    }),
  );
}

function relativeError(row: Float32Array, summary: Summary, image: number): number {
  const expected = summary.values[image] ?? [];
  const scale = (summary.norms[image] ?? 0) / Math.sqrt(summary.dim);
  return Math.max(...expected.map((value, k) => Math.abs((row[k * summary.step] ?? Number.NaN) - value) / scale));
}

describe.each(Object.entries(BUILDERS))('%s', (name, build) => {
  it('gives the features torchvision gives on the same weights, at every cut', async () => {
    const expected = golden.networks[name] ?? {};
    const network = build(hashWeights);
    expect(network.cuts.map((cut) => [cut.name, cut.featureDim])).toEqual(
      Object.entries(expected).map(([cut, summary]) => [cut, summary.dim]),
    );
    const features = await featuresOf(network, golden.heightPx, golden.widthPx);
    for (const [index, [, summary]] of Object.entries(expected).entries()) {
      for (let image = 0; image < golden.count; image += 1) {
        const row = features[index]?.[image] ?? new Float32Array();
        expect(relativeError(row, summary, image)).toBeLessThan(1e-4);
      }
    }
  });
});

describe('cut tables', () => {
  const table = (network: BuiltNetwork): [string, number, number][] =>
    network.cuts.map((cut) => [cut.name, cut.featureDim, cut.cumulativeParameters]);
  const empty: WeightSource = () => new Float32Array();

  it('ResNet18 has the dims and parameter counts of HistoTransfer', () => {
    expect(table(buildResNet('resnet18', empty))).toEqual([
      ['stem', 64, 9_536],
      ['layer1', 64, 157_504],
      ['layer2', 128, 683_072],
      ['layer3', 256, 2_782_784],
      ['layer4', 512, 11_176_512],
    ]);
  });

  it('whole networks have the parameters and multiply-adds torchvision lists, without the classifier', () => {
    const whole = (network: BuiltNetwork) => network.cuts.at(-1);
    // torchvision's model cards: 11.69 M, 21.80 M and 25.56 M parameters, 1.81, 3.66 and 4.09 G multiply-adds at 224.
    expect(whole(buildResNet('resnet34', empty))?.cumulativeParameters).toBe(21_797_672 - 513_000);
    expect(whole(buildResNet('resnet50', empty))?.cumulativeParameters).toBe(25_557_032 - 2_049_000);
    const flops = (network: BuiltNetwork, classifier: number): number =>
      ((whole(network)?.cumulativeFlops ?? 0) / 2 + classifier) / 1e9;
    expect(flops(buildResNet('resnet18', empty), 512_000)).toBeCloseTo(1.814, 3);
    expect(flops(buildResNet('resnet34', empty), 512_000)).toBeCloseTo(3.664, 3);
    expect(flops(buildResNet('resnet50', empty), 2_048_000)).toBeCloseTo(4.089, 3);
  });
});
