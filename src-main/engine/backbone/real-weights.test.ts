import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CardEdits } from '../../../src-shared/api/engine.ts';
import type { BackboneCard, CutPoint, InputSpec } from '../../../src-shared/model/backbone.ts';
import { InferenceWorker } from '../infer/inference-worker.ts';
import { realDataFolder } from '../testing/real-data.ts';
import { inspectBackbone } from './inspect-onnx.ts';
import { hashPixels } from './testing/hash-weights.ts';

const data = realDataFolder();

interface RealModel {
  readonly file: string;
  readonly sidePx: number;
  readonly featureDim: number;
  readonly cuts: number;
  readonly normalisation: Pick<InputSpec, 'scale' | 'mean' | 'std'>;
  readonly origin: CardEdits['origin'];
}

const RAW = { scale: 1, mean: [0, 0, 0], std: [1, 1, 1] } as const;

const MODELS: readonly RealModel[] = [
  {
    file: 'squeezenet11_imagenet_keras/squeezenet11_imagenet_features.onnx',
    sidePx: 224,
    featureDim: 512,
    cuts: 12,
    normalisation: RAW,
    origin: 'imagenet',
  },
  {
    file: 'mobilenetv2_imagenet_tf_dequant/mobilenetv2_imagenet_tf_dequant.onnx',
    sidePx: 224,
    featureDim: 1280,
    cuts: 11,
    normalisation: { scale: 1 / 127.5, mean: [1, 1, 1], std: [1, 1, 1] },
    origin: 'imagenet',
  },
  {
    file: 'jnkather_shufflenet_msi/jnkather_shufflenet_msi.onnx',
    sidePx: 224,
    featureDim: 544,
    cuts: 18,
    normalisation: { scale: 1, mean: [178.671, 121.367, 158.072], std: [53.553, 71.948, 56.921] },
    origin: 'histology',
  },
  {
    file: 'heartfirey_shufflenet_lc25000/heartfirey_shufflenet_lc25000.onnx',
    sidePx: 32,
    featureDim: 800,
    cuts: 17,
    normalisation: RAW,
    origin: 'histology',
  },
  {
    file: 'heartfirey_shufflenet_lc25000/onnx_final_model.onnx',
    sidePx: 32,
    featureDim: 800,
    cuts: 17,
    normalisation: RAW,
    origin: 'histology',
  },
];

describe.skipIf(data === null)('real weights', () => {
  let worker: InferenceWorker;
  beforeAll(() => {
    worker = new InferenceWorker();
  });
  afterAll(() => worker.close());

  const pathOf = (file: string): string => join(data ?? '', 'weights', file);

  async function cutFeatures(card: BackboneCard, path: string, cuts: readonly CutPoint[]): Promise<number[]> {
    const { input, inputName } = card;
    const { session } = await worker.load({ modelPath: path, cuts, input, inputName, threads: 0, provider: 'cpu' });
    const image = hashPixels(1, input.heightPx, input.widthPx);
    const pixels = new SharedArrayBuffer(image.byteLength);
    new Uint8Array(pixels).set(image);
    const output = new SharedArrayBuffer(cuts.reduce((sum, cut) => sum + cut.featureDim, 0) * 4);
    await worker.run({ session, pixels, pixelOffset: 0, count: 1, output, outputOffset: 0 });
    await worker.release(session);
    return Array.from(new Float32Array(output));
  }

  async function features(card: BackboneCard, path: string, count: number): Promise<Float32Array> {
    const cuts = card.cuts.slice(-1);
    const { input, inputName } = card;
    const { session } = await worker.load({ modelPath: path, cuts, input, inputName, threads: 0, provider: 'cpu' });
    const image = hashPixels(count, input.heightPx, input.widthPx);
    const pixels = new SharedArrayBuffer(image.byteLength);
    new Uint8Array(pixels).set(image);
    const dim = cuts[0]?.featureDim ?? 0;
    const output = new SharedArrayBuffer(count * dim * 4);
    await worker.run({ session, pixels, pixelOffset: 0, count, output, outputOffset: 0 });
    await worker.release(session);
    return new Float32Array(output);
  }

  it.each(MODELS)('$file imports with its normalisation and runs', async (model) => {
    const path = pathOf(model.file);
    const guessed = await inspectBackbone(path, {}, worker);
    expect(guessed.input).toMatchObject({ widthPx: model.sidePx, heightPx: model.sidePx, layout: 'NCHW' });
    const input = { ...guessed.input, ...model.normalisation };
    const card = await inspectBackbone(path, { input, origin: model.origin ?? 'unknown', licence: 'MIT' }, worker);
    expect(card.cuts).toHaveLength(model.cuts);
    expect(card.cuts.at(-1)).toMatchObject({ name: 'features', featureDim: model.featureDim });
    expect(card.assumed.join()).not.toMatch(/normalisation|origin|licence/);
    const values = await features(card, path, 3);
    const rows = [0, 1, 2].map((i) => values.subarray(i * model.featureDim, (i + 1) * model.featureDim));
    for (const row of rows) expect(new Set(row).size).toBeGreaterThan(model.featureDim / 8);
    expect(rows[0]).not.toEqual(rows[1]);
  });

  it('sees that SqueezeNet normalises raw pixels itself', async () => {
    const card = await inspectBackbone(pathOf(MODELS[0]?.file ?? ''), {}, worker);
    expect(card.input).toMatchObject(RAW);
    expect(card.assumed.join()).toMatch(/inside the network.*0\.\.255/);
  });

  it('gives in one pass what each cut gives alone', async () => {
    const path = pathOf(MODELS[2]?.file ?? '');
    const card = await inspectBackbone(path, {}, worker);
    const cuts = [2, 9, 17].flatMap((index) => card.cuts.slice(index, index + 1));
    const together = await cutFeatures(card, path, cuts);
    const alone = await Promise.all(cuts.map((cut) => cutFeatures(card, path, [cut])));
    expect(together).toEqual(alone.flat());
  });

  it('runs a network whose batch is fixed at one image by image', async () => {
    const path = pathOf(MODELS[4]?.file ?? '');
    const card = await inspectBackbone(path, {}, worker);
    const together = await features(card, path, 5);
    const [first, ...others] = [5, 1].map((count) => features(card, path, count));
    expect(await first).toEqual(together);
    expect(await others[0]).toEqual(together.slice(0, 800));
    expect(together.slice(800, 1600)).not.toEqual(together.slice(0, 800));
  });
});
