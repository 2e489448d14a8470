import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BackboneCard } from '../../../src-shared/model/backbone.ts';
import { floatsOf } from '../graph/model.ts';
import { decodeModel, encodeModel } from '../graph/proto.ts';
import { InferenceWorker } from '../infer/inference-worker.ts';
import { ARCHITECTURES } from './architectures/all.ts';
import { buildVit } from './architectures/vit.ts';
import { randomTwin } from './random-twin.ts';
import { backbonePath, exportCut, findCut, prepareCalibrated, prepareImport, prepareRandom } from './registry.ts';
import { safetensorsOf } from './testing/checkpoint-file.ts';
import { hashPixels, hashWeights } from './testing/hash-weights.ts';

let folder = '';
let worker: InferenceWorker;
let card: BackboneCard;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hyaline-derive-'));
  worker = new InferenceWorker();
  const path = join(folder, 'source.safetensors');
  await writeFile(path, safetensorsOf('squeezenet1_1', 'state_dict.encoder.'));
  card = await prepareImport(
    path,
    { name: 'squeeze', origin: 'histology', licence: 'MIT' },
    join(folder, 'store'),
    worker,
  );
});
afterAll(async () => {
  await worker.close();
  await rm(folder, { recursive: true, force: true });
});

async function features(of: BackboneCard, modelPath: string, cutName: string): Promise<Float32Array> {
  const cut = findCut(of, cutName);
  const input = { ...of.input, widthPx: 96, heightPx: 96 };
  const { session } = await worker.load({
    modelPath,
    cuts: [cut],
    input,
    inputName: of.inputName,
    threads: 1,
    provider: 'cpu',
  });
  const pixels = new SharedArrayBuffer(2 * 96 * 96 * 3);
  new Uint8Array(pixels).set(hashPixels(2, 96, 96));
  const output = new SharedArrayBuffer(2 * cut.featureDim * 4);
  await worker.run({ session, pixels, pixelOffset: 0, count: 2, output, outputOffset: 0 });
  await worker.release(session);
  return new Float32Array(output);
}

describe('a checkpoint', () => {
  it('becomes a backbone with its own cuts and the weights of the file', () => {
    expect(card).toMatchObject({ architecture: 'squeezenet1_1', origin: 'histology', defaultCut: 'fire8' });
    expect(card.source).toMatch(/50 of 50 weights of squeezenet1_1 .*prefix "state_dict\.encoder\." stripped/);
    expect(card.cuts.map((cut) => cut.name).join(' ')).toBe('stem fire1 fire2 fire3 fire4 fire5 fire6 fire7 fire8');
    expect(card.parameters).toBe(722_496);
  });

  it('gives the bytes, and so the id, of the network built from its weights', async () => {
    const network = ARCHITECTURES.squeezenet1_1?.(hashWeights);
    const stored = await readFile(backbonePath(join(folder, 'store'), card.id));
    expect(network && Buffer.from(encodeModel(network.model)).equals(stored)).toBe(true);
  });
});

describe('exportCut', () => {
  it('writes a smaller network that gives bitwise the features of the cut and imports without questions', async () => {
    const store = join(folder, 'store');
    const out = join(folder, 'cut.onnx');
    const size = await exportCut(card, 'fire3', store, out, worker);
    expect(size).toBe((await stat(out)).size);
    expect(size).toBeLessThan(card.sizeBytes / 5);
    const again = await prepareImport(out, {}, store, worker);
    expect(again).toMatchObject({
      name: 'squeeze@fire3',
      origin: 'histology',
      licence: 'MIT',
      defaultCut: 'fire3',
      assumed: [],
    });
    expect(again.cuts.map((cut) => cut.name)).toEqual(['stem', 'fire1', 'fire2', 'fire3']);
    expect(again.cuts.at(-1)).toEqual(findCut(card, 'fire3'));
    const full = await features(card, backbonePath(store, card.id), 'fire3');
    expect(await features(again, backbonePath(store, again.id), 'fire3')).toEqual(full);
  });

  it('names the cuts there are', () => {
    expect(() => findCut(card, 'layer9')).toThrowError(expect.objectContaining({ code: 'NotFound' }));
  });
});

describe('prepareRandom', () => {
  it('draws a twin with other weights, the same cuts and live features; the seed fixes it', async () => {
    const store = join(folder, 'store');
    const twin = await prepareRandom(card, 4, store, worker);
    expect(twin).toMatchObject({
      name: 'squeeze-random-4',
      origin: 'random',
      cuts: card.cuts,
      parameters: card.parameters,
    });
    expect((await prepareRandom(card, 4, store, worker)).id).toBe(twin.id);
    expect((await prepareRandom(card, 5, store, worker)).id).not.toBe(twin.id);
    const [own, drawn] = [
      await features(card, backbonePath(store, card.id), 'fire8'),
      await features(twin, backbonePath(store, twin.id), 'fire8'),
    ];
    expect(drawn).not.toEqual(own);
    expect(drawn.filter((value) => value > 0).length).toBeGreaterThan(100);
    expect((await readdir(store)).filter((name) => !name.endsWith('.onnx'))).toEqual([]);
  });

  it('makes a network by its architecture, and names an unknown one', async () => {
    const store = join(folder, 'store');
    const made = await prepareRandom('shufflenet_v2_x1_0', 1, store, worker);
    expect(made).toMatchObject({ origin: 'random', parameters: 1_253_604, defaultCut: 'conv5' });
    await expect(prepareRandom('resnet1', 1, store, worker)).rejects.toMatchObject({ code: 'NotFound' });
  });
});

describe('prepareCalibrated', () => {
  it('gives every BatchNorm the statistics of the tiles: its output then has mean 0 and variance 1 on them', async () => {
    const store = join(folder, 'store');
    const random = await prepareRandom('densenet121', 2, store, worker);
    const small = { ...random, input: { ...random.input, widthPx: 64, heightPx: 64 } };
    const pixels = new SharedArrayBuffer(8 * 64 * 64 * 3);
    new Uint8Array(pixels).set(hashPixels(8, 64, 64));
    const card8 = await prepareCalibrated(small, { pixels, count: 8 }, store, worker);
    expect(card8.method).toContain('BatchNorm statistics of 8 tiles');
    expect(card8.id).not.toBe(random.id);
    const mean = async (of: BackboneCard): Promise<number> => {
      const { input, inputName } = small;
      const cuts = [findCut(of, 'norm5')];
      const modelPath = backbonePath(store, of.id);
      const { session } = await worker.load({ modelPath, cuts, input, inputName, threads: 0, provider: 'cpu' });
      const output = new SharedArrayBuffer(8 * 1024 * 4);
      await worker.run({ session, pixels, pixelOffset: 0, count: 8, output, outputOffset: 0 });
      await worker.release(session);
      const values = new Float32Array(output);
      const channels = Array.from({ length: 1024 }, (_, c) =>
        Array.from({ length: 8 }, (_, i) => values[i * 1024 + c] ?? 0),
      );
      return Math.max(...channels.map((channel) => Math.abs(channel.reduce((a, b) => a + b, 0) / 8)));
    };
    expect(await mean(card8)).toBeLessThan(1e-3);
    expect(await mean(random)).toBeGreaterThan(0.1);
    await expect(prepareCalibrated(small, { pixels, count: 1 }, store, worker)).rejects.toMatchObject({
      code: 'InvalidRequest',
    });
  });
});

describe('randomTwin', () => {
  it('draws every kind of layer as it is initialised', () => {
    const plan = {
      name: 'vit',
      sizePx: 32,
      patchPx: 16,
      depth: 1,
      heads: 2,
      dim: 64,
      mlpDim: 128,
      registers: 2,
      layerScale: true,
      activation: 'gelu' as const,
      clip: null,
    };
    const model = buildVit(plan, hashWeights).model;
    const twin = new Map(randomTwin(model, 1).graph.initializers.map((tensor) => [tensor.name, floatsOf(tensor)]));
    const deviation = (name: string): number => {
      const values = twin.get(name) ?? new Float32Array();
      return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
    };
    expect(deviation('blocks.0.mlp.fc1.weight')).toBeCloseTo(0.0176, 3);
    expect(deviation('patch_embed.proj.weight')).toBeCloseTo(Math.sqrt(2 / (64 * 256)), 3);
    for (const name of ['pos_embed', 'reg_token']) expect(deviation(name)).toBeGreaterThan(0.01);
    for (const name of ['blocks.0.norm1.weight', 'blocks.0.ls1.gamma'])
      expect(new Set(twin.get(name))).toEqual(new Set([1]));
    for (const name of ['blocks.0.attn.qkv.bias', 'norm.bias', 'patch_embed.proj.bias'])
      expect(deviation(name)).toBe(0);
    expect(Array.from(twin.get('sqrt2') ?? [])).toEqual([Math.fround(Math.SQRT2)]);
    expect(decodeModel(encodeModel(randomTwin(model, 1))).graph.nodes.length).toBe(model.graph.nodes.length);
  });
});
