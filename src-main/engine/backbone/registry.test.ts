import { appendFile, copyFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { GraphBuilder } from '../graph/builder.ts';
import type { Dimension, OnnxModel } from '../graph/model.ts';
import { ELEMENT } from '../graph/model.ts';
import { decodeModel, encodeModel } from '../graph/proto.ts';
import { InferenceWorker } from '../infer/inference-worker.ts';
import { inspectBackbone } from './inspect-onnx.ts';
import { backbonePath, prepareImport } from './registry.ts';

let folder = '';
let store = '';
let worker: InferenceWorker;
beforeAll(() => {
  worker = new InferenceWorker();
});
afterAll(() => worker.close());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hyaline-import-'));
  store = join(folder, 'store');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

interface Variant {
  readonly dims?: readonly Dimension[];
  readonly elementType?: number;
  readonly inputs?: number;
  readonly weight?: number;
  readonly classifier?: boolean;
}

/** A small network: convolution, residual addition, average pooling and, if asked for, a classifier. */
function smallNetwork(variant: Variant = {}): OnnxModel {
  const { dims = ['N', 3, 16, 16], elementType = ELEMENT.float, inputs = 1, weight = 0.1 } = variant;
  const g = new GraphBuilder('small');
  for (let i = 0; i < inputs; i += 1) g.input(`image${i}`, dims, elementType);
  const channels = typeof dims[1] === 'number' ? dims[1] : 3;
  const kernel = new Float32Array(8 * channels * 9).map((_, i) => weight * (((i * 7) % 11) - 5));
  const first = g.node('conv', 'Conv', ['image0', g.floats('conv.weight', [8, channels, 3, 3], kernel)], {
    kernel_shape: [3, 3],
    pads: [1, 1, 1, 1],
  });
  const second = new Float32Array(8 * 8).map((_, i) => 0.1 * ((i % 5) - 2));
  const branch = g.node('conv2', 'Conv', [first, g.floats('conv2.weight', [8, 8, 1, 1], second)]);
  const sum = g.node('relu', 'Relu', [g.node('add', 'Add', [first, branch])]);
  const flat = g.node('flat', 'Flatten', [g.node('gap', 'GlobalAveragePool', [sum])], { axis: 1 });
  if (variant.classifier) {
    const logits = g.floats('fc.weight', [8, 5], new Float32Array(40).fill(0.5));
    g.node('probabilities', 'Softmax', [g.node('fc', 'Gemm', [flat, logits])]);
    g.output('probabilities', ['N', 5]);
  } else {
    g.output(flat, ['N', 8]);
  }
  return g.build();
}

async function saved(model: OnnxModel, name = 'model.onnx'): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, encodeModel(model));
  return path;
}

describe('prepareImport', () => {
  it('stores the file under its hash with a card, and twice gives the same', async () => {
    const path = await saved(smallNetwork({ classifier: true }));
    const card = await prepareImport(path, { name: 'Mine', origin: 'histology', licence: 'MIT' }, store, worker);
    expect(card).toMatchObject({ name: 'Mine', origin: 'histology', licence: 'MIT', builtIn: false });
    expect(card.input).toMatchObject({ widthPx: 16, heightPx: 16, layout: 'NCHW' });
    expect(await readFile(backbonePath(store, card.id))).toEqual(await readFile(path));
    expect(await prepareImport(path, { name: 'Mine', origin: 'histology', licence: 'MIT' }, store, worker)).toEqual(
      card,
    );
    expect(await readdir(store)).toEqual([`${card.id}.onnx`]);
  });

  it('takes the layer before the classifier, and says so', async () => {
    const card = await inspectBackbone(await saved(smallNetwork({ classifier: true })), {}, worker);
    expect(card.cuts.map((cut) => [cut.name, cut.featureDim])).toEqual([
      ['block1', 8],
      ['features', 8],
    ]);
    expect(card.defaultCut).toBe('features');
    expect(card.parameters).toBe(8 * 27 + 64);
    expect(card.cuts[1]?.cumulativeFlops).toBe(2 * 16 * 16 * (8 * 27 + 64));
    expect(card.assumed.join('; ')).toMatch(/last fully connected layer.*origin.*licence/);
  });

  it('keeps weights of a second file inside the stored one', async () => {
    const model = smallNetwork();
    const path = await saveSplit(model);
    const card = await prepareImport(path, {}, store, worker);
    const stored = decodeModel(await readFile(backbonePath(store, card.id)));
    expect(stored.graph.initializers.map((tensor) => Buffer.from(tensor.data))).toEqual(
      model.graph.initializers.map((tensor) => Buffer.from(tensor.data)),
    );
    await rm(join(folder, 'weights.bin'));
    await expect(prepareImport(path, {}, store, worker)).rejects.toMatchObject({
      code: 'BackboneUnreadable',
      message: expect.stringContaining('weights.bin'),
    });
  });

  it('reads the card beside the model, and lets edits win', async () => {
    const path = await saved(smallNetwork());
    const input = { scale: 1, mean: [100, 100, 100], std: [50, 50, 50], channelOrder: 'BGR' };
    await writeFile(
      join(folder, 'model.json'),
      JSON.stringify({ name: 'Sidecar', origin: 'imagenet', trainedMpp: 0.5, input }),
    );
    const card = await inspectBackbone(path, { name: 'Edited' }, worker);
    expect(card).toMatchObject({ name: 'Edited', origin: 'imagenet', trainedMpp: 0.5, input });
    expect(card.assumed.join()).not.toMatch(/normalisation|channel order/);
    await writeFile(join(folder, 'model.json'), '{"input": {"std": [0, 1, 1]}}');
    await expect(inspectBackbone(path, {}, worker)).rejects.toMatchObject({ code: 'BackboneUnreadable' });
  });

  it('takes any image size and any layout the file leaves open', async () => {
    const free = await inspectBackbone(await saved(smallNetwork({ dims: ['N', 3, 'H', 'W'] })), {}, worker);
    expect(free.input).toMatchObject({ widthPx: 224, heightPx: 224 });
    expect(free.assumed.join()).toMatch(/input size 224 x 224/);
    const input = { ...free.input, widthPx: 64, heightPx: 32 };
    const chosen = await inspectBackbone(await saved(smallNetwork({ dims: ['N', 3, 'H', 'W'] })), { input }, worker);
    expect(chosen.input).toEqual(input);
    await expect(inspectBackbone(await saved(smallNetwork()), { input }, worker)).rejects.toMatchObject({
      code: 'BackboneShapeUnsupported',
      message: expect.stringContaining('16 x 16'),
    });
  });
});

describe('inputs a file says little about', () => {
  it('takes a missing shape as NCHW at 224 px, and says so', async () => {
    const model = smallNetwork({ dims: ['N', 3, 'H', 'W'] });
    const inputs = model.graph.inputs.map((input) => ({ ...input, dims: null }));
    const card = await inspectBackbone(await saved({ ...model, graph: { ...model.graph, inputs } }), {}, worker);
    expect(card.input).toMatchObject({ layout: 'NCHW', widthPx: 224, heightPx: 224 });
    expect(card.assumed.join('; ')).toMatch(/input size 224 x 224.*layout NCHW/);
  });

  it('recognises channels in the last place', async () => {
    const g = new GraphBuilder('nhwc');
    g.input('image', ['N', 16, 16, 3]);
    const planar = g.node('planar', 'Transpose', ['image'], { perm: [0, 3, 1, 2] });
    const kernel = Float32Array.from({ length: 4 * 27 }, (_, i) => Math.sin(i));
    const conv = g.node('conv', 'Conv', [planar, g.floats('w', [4, 3, 3, 3], kernel)]);
    g.output(g.node('features', 'Flatten', [g.node('gap', 'GlobalAveragePool', [conv])]), null);
    const card = await inspectBackbone(await saved(g.build()), {}, worker);
    expect(card.input).toMatchObject({ layout: 'NHWC', widthPx: 16, heightPx: 16 });
    expect(card.cuts.at(-1)).toMatchObject({ name: 'features', featureDim: 4 });
  });

  it('makes vectors of an output that is still a stack of maps', async () => {
    const g = new GraphBuilder('maps');
    g.input('image', ['N', 3, 16, 16]);
    const kernel = Float32Array.from({ length: 6 * 27 }, (_, i) => Math.cos(i));
    g.output(g.node('maps', 'Conv', ['image', g.floats('w', [6, 3, 3, 3], kernel)]), null);
    const card = await inspectBackbone(await saved(g.build()), {}, worker);
    expect(card.cuts.at(-1)).toMatchObject({ pooling: 'global-average', featureDim: 6 });
  });
});

describe('files that are no usable backbone', () => {
  it.each<[string, Variant, RegExp]>([
    ['of rank three', { dims: [3, 16, 16] }, /3 dimensions/],
    ['of one channel', { dims: ['N', 1, 16, 16] }, /three colour channels/],
    ['with two inputs', { inputs: 2 }, /2 inputs/],
    ['of bytes', { elementType: ELEMENT.uint8 }, /32-bit float/],
  ])('names a network %s', async (_, variant, message) => {
    const failed = prepareImport(await saved(smallNetwork(variant)), {}, store, worker);
    await expect(failed).rejects.toMatchObject({
      code: 'BackboneShapeUnsupported',
      message: expect.stringMatching(message),
    });
    expect(await readdir(store)).toEqual([]);
  });

  const cases: [string, (path: string) => Promise<unknown>, RegExp][] = [
    ['text renamed', (path) => writeFile(path, 'Dear colleague,\nplease find'), /text file/],
    ['a Git LFS pointer', (path) => writeFile(path, 'version https://git-lfs.github.com/spec/v1\noid'), /LFS/],
    ['an archive', (path) => writeFile(path, 'PK\u0003\u0004 and more'), /cut short/],
    ['a truncated file', (path) => truncate(path, 700), /cut short/],
    ['a file of 3 GB', (path) => truncate(path, 3 * 2 ** 30), /2 GB/],
    ['an empty file', (path) => truncate(path, 0), /empty/],
    ['random bytes', (path) => writeFile(path, Buffer.from([200, 1, 255, 3, 99, 250, 17])), /not an ONNX/],
  ];
  it.each(cases)('names %s', async (_, spoil, message) => {
    const path = await saved(smallNetwork());
    await spoil(path);
    await expect(prepareImport(path, {}, store, worker)).rejects.toMatchObject({
      code: 'BackboneUnreadable',
      message: expect.stringMatching(message),
    });
    expect(await readdir(store)).toEqual([]);
  });

  it('names weights that are not numbers', async () => {
    const path = await saved(smallNetwork({ weight: Number.NaN }));
    await expect(prepareImport(path, {}, store, worker)).rejects.toMatchObject({
      code: 'BackboneUnreadable',
      message: expect.stringContaining('conv.weight'),
    });
  });

  it('names an operator set from the future', async () => {
    const path = await saved({ ...smallNetwork(), opsets: { '': 99 } });
    await expect(prepareImport(path, {}, store, worker)).rejects.toMatchObject({
      code: 'BackboneUnreadable',
      message: expect.stringContaining('newer version'),
    });
  });

  it('refuses weights outside the folder of the model', async () => {
    await writeFile(join(folder, 'weights.bin'), 'secret');
    const path = await saveSplit(smallNetwork(), '../weights.bin');
    await expect(prepareImport(path, {}, store, worker)).rejects.toMatchObject({
      message: expect.stringContaining('outside'),
    });
  });

  it('goes on after a failure', async () => {
    const path = await saved(smallNetwork());
    const spoiled = join(folder, 'spoiled.onnx');
    await copyFile(path, spoiled);
    await appendFile(spoiled, Buffer.from([0xff, 0xff, 0xff]));
    await expect(prepareImport(spoiled, {}, store, worker)).rejects.toThrow();
    expect((await prepareImport(path, {}, store, worker)).name).toBe('model');
  });
});

/** Writes a model with its first constant in `weights.bin` beside it, as PyTorch exports large networks. */
async function saveSplit(model: OnnxModel, location = 'weights.bin'): Promise<string> {
  const { default: protobuf } = await import('protobufjs/light.js');
  const { ONNX_SCHEMA } = await import('../graph/onnx-schema.ts');
  const type = protobuf.Root.fromJSON(ONNX_SCHEMA).lookupType('onnx.ModelProto');
  const wire = type.toObject(type.decode(encodeModel(model)));
  const [tensor] = wire.graph.initializer;
  if (!location.startsWith('..'))
    await writeFile(join(folder, location), Buffer.concat([Buffer.alloc(16), tensor.rawData]));
  tensor.externalData = [
    { key: 'location', value: location },
    { key: 'offset', value: '16' },
    { key: 'length', value: String(tensor.rawData.byteLength) },
  ];
  tensor.dataLocation = 1;
  delete tensor.rawData;
  const path = join(folder, 'split.onnx');
  await writeFile(path, type.encode(type.fromObject(wire)).finish());
  return path;
}
