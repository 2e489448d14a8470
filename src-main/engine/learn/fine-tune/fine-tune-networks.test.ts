import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BackboneCard } from '../../../../src-shared/model/backbone.ts';
import { RandomStream } from '../../backbone/random-stream.ts';
import { networkReadAt } from '../../backbone/testing/network-read-at.ts';
import { splitRows } from '../../graph/autodiff/row-split.ts';
import { ancestorNodes } from '../../graph/cut.ts';
import { floatsOf, type OnnxModel } from '../../graph/model.ts';
import { readModelFile } from '../../infer/model-file.ts';
import { loadRuntime } from '../../infer/runtime.ts';
import { evaluationGraph } from '../head-graph.ts';
import { type HeadSpec, NO_REGULARISERS } from '../head-spec.ts';
import { fineTuneFile } from './fine-tune-file.ts';
import type { FineTuning, PixelBagSet } from './fine-tuning.ts';
import { ENCODED, joinModels } from './joined-model.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hyaline-networks-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Two slides of two noisy tiles each. */
function slides({ widthPx, heightPx }: BackboneCard['input']): PixelBagSet {
  const get = async (index: number) => {
    const stream = new RandomStream(index, 'slide');
    const pixels = Uint8Array.from({ length: 2 * widthPx * heightPx * 3 }, () => 255 * stream.nextUniform());
    return { pixels, label: index % 2 };
  };
  return { count: 2, get };
}

function stageOne(head: HeadSpec): FineTuning['headWeights'] {
  const { model, parameters } = evaluationGraph(head);
  const tensors = model.graph.initializers.filter(({ name }) => parameters.includes(name));
  return new Map(tensors.map((tensor) => [tensor.name, Float32Array.from(floatsOf(tensor))]));
}

function tuningOf(card: BackboneCard, cutName: string, frozen: string): FineTuning {
  const cut = card.cuts.find(({ name }) => name === cutName);
  const frozenUpTo = card.cuts.find(({ name }) => name === frozen) ?? null;
  if (cut === undefined || frozenUpTo === null) throw new Error(`${card.name} has no such cuts`);
  const head: HeadSpec = { pooling: 'histotransfer', gated: false, featureDim: cut.featureDim, classes: 2, seed: 2 };
  return {
    ...{ cut, frozenUpTo, head, headWeights: stageOne(head), input: card.input, inputName: card.inputName },
    ...{ rate: 1e-3, headRate: 1e-3, epochs: 1, keepBestBy: 'loss', classWeights: [1, 1], tilesPerStep: null },
    ...{ tilesAtOnce: 1, seed: 5, threads: 1, checkpointPath: null, checkpointKey: 'test' },
  };
}

const constantsOf = (model: OnnxModel) =>
  new Map(model.graph.initializers.map((tensor) => [tensor.name, Buffer.from(tensor.data).toString('base64')]));

describe('networks that can be fine-tuned', () => {
  it.each([
    ['densenet121', 'denseblock1', 'stem', 64, /conv0|norm0|denseblock1\./],
    ['vit_small_patch16', 'block2', 'block1', 224, /^(patch|pos|cls)|blocks\.[01]\./],
  ] as const)(
    '%s: what lies behind the frozen part moves, all else stays, and the file runs without Hyaline',
    async (architecture, cutName, frozen, sizePx, read) => {
      const { bytes, card } = networkReadAt(architecture, read, sizePx);
      const modelPath = join(folder, `${architecture}.onnx`);
      writeFileSync(modelPath, bytes);
      const tuning = tuningOf(card, cutName, frozen);
      const outPath = join(folder, `${architecture}-tuned.onnx`);
      const { name, origin, method, source, trainedMpp } = card;
      const described = { name: `${name}-tuned`, origin, method, source, trainedMpp };
      const set = slides(card.input);
      const one = { ...set, count: 1 };
      await fineTuneFile({ modelPath, card, tuning, described, record: {}, outPath }, one, one);

      const [before, after] = [await readModelFile(modelPath), await readModelFile(outPath)];
      const [old, tuned] = [constantsOf(before), constantsOf(after)];
      const moved = [...tuned].filter(([key, data]) => old.has(key) && old.get(key) !== data).map(([key]) => key);
      expect(moved.length).toBeGreaterThan(5);
      const front = new Set(
        ancestorNodes(before.graph, [tuning.frozenUpTo?.tensor ?? '']).flatMap(({ inputs }) => inputs),
      );
      expect(moved.filter((key) => front.has(key))).toEqual([]);
      expect(moved.filter((key) => /running_(mean|var)/.test(key))).toEqual([]);
      // Every tile goes through alone: attention and all lie in the part that is computed tile by tile.
      const joined = joinModels(before, tuning, {
        ...{ spec: tuning.head, weights: tuning.headWeights, regularisers: NO_REGULARISERS },
      });
      const { border } = splitRows(joined.encoder, 'N', [ENCODED]);
      expect(border.map(({ dims }) => dims)).toEqual([['N', tuning.cut.featureDim]]);

      const { InferenceSession, Tensor } = await loadRuntime();
      const session = await InferenceSession.create(outPath, { executionProviders: ['cpu'], intraOpNumThreads: 1 });
      const size = 3 * sizePx * sizePx;
      const images = new Tensor(
        'float32',
        Float32Array.from({ length: 2 * size }, (_, i) => Math.sin(i)),
        [2, 3, sizePx, sizePx],
      );
      const results = await session.run({ [card.inputName]: images });
      const features = results[session.outputNames[0] ?? ''];
      await session.release();
      expect(features?.dims).toEqual([2, tuning.cut.featureDim]);
      expect(Array.from((features?.data ?? [Number.NaN]) as Float32Array).every(Number.isFinite)).toBe(true);
    },
    60_000,
  );
});
