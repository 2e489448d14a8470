import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeModel } from '../graph/proto.ts';
import { InferenceWorker } from '../infer/inference-worker.ts';
import { ARCHITECTURES } from './architectures/all.ts';
import type { BuiltNetwork } from './architectures/network.ts';
import { buildVit } from './architectures/vit.ts';
import { IMAGENET_INPUT } from './imagenet-input.ts';
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

/** Torchvision's names of a vision transformer's weights, which the formula takes its values from. */
function torchvisionVitName(name: string): string {
  return name
    .replace('patch_embed.proj', 'conv_proj')
    .replace('cls_token', 'class_token')
    .replace('pos_embed', 'encoder.pos_embedding')
    .replace(/^norm\./, 'encoder.ln.')
    .replace(/^blocks\.(\d+)\./, 'encoder.layers.encoder_layer_$1.')
    .replace(/norm([12])/, 'ln_$1')
    .replace(/attn\.qkv\.(.*)$/, 'self_attention.in_proj_$1')
    .replace('attn.proj', 'self_attention.out_proj')
    .replace('mlp.fc1', 'mlp.0')
    .replace('mlp.fc2', 'mlp.3');
}

const SMALL_VIT = {
  sizePx: 96,
  patchPx: 16,
  depth: 3,
  heads: 4,
  dim: 48,
  mlpDim: 192,
  registers: 0,
  layerScale: false,
  activation: 'gelu',
  clip: null,
} as const;

/** The image tower of CLIP in small: the golden script names its weights as we do. */
const SMALL_CLIP = {
  ...SMALL_VIT,
  name: 'clip',
  activation: 'quick-gelu',
  clip: { projection: { dim: 20, order: 'out-in' } },
} as const;

const BUILDERS: Readonly<Record<string, (weights: WeightSource) => BuiltNetwork>> = {
  ...Object.fromEntries(Object.entries(ARCHITECTURES).filter(([name]) => !name.startsWith('vit'))),
  vit: (weights) =>
    buildVit({ name: 'vit', ...SMALL_VIT }, (spec) => weights({ ...spec, name: torchvisionVitName(spec.name) })),
  clip: (weights) => buildVit(SMALL_CLIP, weights),
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

/** Height and width of the golden images of a network. */
function imageSize(name: string): readonly [number, number] {
  if (name === 'vit' || name === 'clip') return [96, 96];
  return name.endsWith('instance_norm') ? [192, 160] : [golden.heightPx, golden.widthPx];
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
    const [height, width] = imageSize(name);
    const features = await featuresOf(network, height, width);
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
  it('ResNet18 has the dims and parameter counts of HistoTransfer', () => {
    expect(table(buildNetwork('resnet18'))).toEqual([
      ['stem', 64, 9_536],
      ['layer1', 64, 157_504],
      ['layer2', 128, 683_072],
      ['layer3', 256, 2_782_784],
      ['layer4', 512, 11_176_512],
    ]);
  });

  it('DenseNet121 has the dims and parameter counts of HistoTransfer, at blocks and transitions', () => {
    expect(table(buildNetwork('densenet121'))).toEqual([
      ['stem', 64, 9_536],
      ['denseblock1', 256, 344_576],
      ['transition1', 128, 377_856],
      ['denseblock2', 512, 1_297_536],
      ['transition2', 256, 1_429_632],
      ['denseblock3', 1024, 4_267_392],
      ['transition3', 512, 4_793_728],
      ['denseblock4', 1024, 6_951_808],
      ['norm5', 1024, 6_953_856],
    ]);
  });

  // Parameters and multiply-adds (G, at 224 px) of torchvision's model cards, and the classifier they include.
  it.each([
    ['resnet18', 11_689_512, 512 * 1000 + 1000, 1.814],
    ['resnet34', 21_797_672, 512 * 1000 + 1000, 3.664],
    ['resnet50', 25_557_032, 2048 * 1000 + 1000, 4.089],
    ['densenet121', 7_978_856, 1024 * 1000 + 1000, 2.834],
    ['mobilenet_v2', 3_504_872, 1280 * 1000 + 1000, 0.301],
    ['shufflenet_v2_x1_0', 2_278_604, 1024 * 1000 + 1000, 0.145],
    ['vit_base_patch16', 86_567_656, 768 * 1000 + 1000, 17.564],
  ])('%s has the size torchvision lists, without the classifier', (name, parameters, classifier, gigaMacs) => {
    const network = buildNetwork(name);
    const cut = network.cuts.find((point) => point.name === network.defaultCut);
    expect(network.parameters).toBe(parameters - classifier);
    expect(cut?.cumulativeParameters).toBe(parameters - classifier);
    expect(((cut?.cumulativeFlops ?? 0) / 2 + classifier) / 1e9).toBeCloseTo(gigaMacs, 2);
  });
});

function buildNetwork(name: string): BuiltNetwork {
  const build = ARCHITECTURES[name];
  if (!build) throw new Error(`no network called ${name}`);
  return build(() => new Float32Array());
}
