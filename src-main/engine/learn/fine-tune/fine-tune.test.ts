import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ARCHITECTURES } from '../../backbone/architectures/all.ts';
import { RandomStream } from '../../backbone/random-stream.ts';
import { randomWeights } from '../../backbone/random-weights.ts';
import { floatsOf, type OnnxModel } from '../../graph/model.ts';
import { evaluationGraph } from '../head-graph.ts';
import type { HeadSpec } from '../head-spec.ts';
import { withValues } from '../step-runner.ts';
import type { EpochRecord } from '../train-head.ts';
import { fineTune } from './fine-tune.ts';
import type { FineTuning, PixelBag, PixelBagSet } from './fine-tuning.ts';
import { joinModels } from './joined-model.ts';
import { NetworkEvaluator } from './network-evaluator.ts';
import { topTiles } from './top-tiles.ts';

const SIDE_PX = 16;
const input: FineTuning['input'] = {
  ...{ widthPx: SIDE_PX, heightPx: SIDE_PX, layout: 'NCHW', channelOrder: 'RGB', scale: 1 / 255 },
  mean: [0.5, 0.5, 0.5],
  std: [0.25, 0.25, 0.25],
};

function resnet(cutName: string) {
  const network = ARCHITECTURES.resnet18?.(randomWeights(1));
  const cut = network?.cuts.find(({ name }) => name === cutName);
  if (network === undefined || cut === undefined) throw new Error(`no cut ${cutName}`);
  return { model: network.model, cut, inputName: network.inputName };
}

const { model, cut, inputName } = resnet('layer1');
const head: HeadSpec = { pooling: 'histotransfer', gated: false, featureDim: cut.featureDim, classes: 2, seed: 2 };

function stageOne(): Map<string, Float32Array> {
  const { model: graph, parameters } = evaluationGraph(head);
  const tensors = graph.graph.initializers.filter(({ name }) => parameters.includes(name));
  return new Map(tensors.map((tensor) => [tensor.name, Float32Array.from(floatsOf(tensor))]));
}

/** Slides of grey noise; in positive ones every second tile is reddish. */
function slides(count: number, tiles: number): PixelBagSet {
  const bags = Array.from({ length: count }, (_, i): PixelBag => {
    const stream = new RandomStream(i, 'slide');
    const label = i % 2;
    const pixels = Uint8Array.from({ length: tiles * SIDE_PX * SIDE_PX * 3 }, (_value, at) => {
      const tile = Math.floor(at / (SIDE_PX * SIDE_PX * 3));
      const red = label === 1 && tile % 2 === 0 && at % 3 === 0 ? 90 : 0;
      return 80 + red + 60 * stream.nextUniform();
    });
    return { pixels, label };
  });
  return { count, get: async (index) => bags[index] ?? { pixels: new Uint8Array(), label: 0 } };
}

const tuning = (changes: Partial<FineTuning> = {}): FineTuning => ({
  ...{ cut, input, inputName, head, headWeights: stageOne(), rate: 1e-3, headRate: 1e-3 },
  ...{ frozenUpTo: null, epochs: 2, keepBestBy: 'loss' },
  ...{ classWeights: [1, 1], tilesPerStep: null, tilesAtOnce: 100, seed: 5, threads: 1 },
  ...{ checkpointPath: null, checkpointKey: 'test' },
  ...changes,
});

const constantsOf = (network: OnnxModel): Map<string, Float32Array> =>
  new Map(network.graph.initializers.map((tensor) => [tensor.name, floatsOf(tensor)]));

const furthest = (a: ReadonlyMap<string, Float32Array>, b: ReadonlyMap<string, Float32Array>): number => {
  let worst = 0;
  for (const [name, values] of a) {
    for (const [i, value] of values.entries()) worst = Math.max(worst, Math.abs(value - (b.get(name)?.[i] ?? 1e9)));
  }
  return worst;
};

describe('the chosen tiles', () => {
  it('are those with the highest scores, all where there are fewer', () => {
    const scores = Float32Array.of(0.1, 3, -2, 3, 5);
    expect(topTiles(scores, 2)).toEqual([1, 4]);
    expect(topTiles(scores, 3)).toEqual([1, 3, 4]);
    expect(topTiles(scores, 64)).toEqual([0, 1, 2, 3, 4]);
  });
});

describe('fine-tuning', () => {
  it('begins with the weights of stage 1, every one of them', async () => {
    const { encoder, head: tuned } = await fineTune(
      model,
      tuning({ rate: 0, headRate: 0, epochs: 1 }),
      slides(2, 2),
      slides(2, 2),
    );
    const constants = constantsOf(model);
    for (const [name, values] of encoder) expect(values, name).toEqual(constants.get(name));
    expect(new Map(tuned)).toEqual(stageOne());
    // Stem and two blocks: a convolution, scale and shift each.
    expect(encoder.size).toBe(15);
  });

  it('learns, moves every layer, and leaves running statistics alone', async () => {
    const result = await fineTune(model, tuning({ epochs: 3 }), slides(4, 3), slides(2, 2));
    const [first, last] = [result.history[0], result.history.at(-1)];
    expect(last?.trainLoss).toBeLessThan(first?.trainLoss ?? 0);
    const constants = constantsOf(model);
    for (const [name, values] of result.encoder) expect(values, name).not.toEqual(constants.get(name));
    expect([...result.encoder.keys()].filter((name) => /mean|var/.test(name))).toEqual([]);
    const after = constantsOf(withValues(model, result.encoder));
    for (const [name, values] of constants) if (!result.encoder.has(name)) expect(after.get(name)).toEqual(values);
  });

  it('gives the same whether tiles go through together or in parts, in training and in judging', async () => {
    const [train, validation] = [slides(2, 5), slides(1, 5)];
    const [whole, parts] = [
      await fineTune(model, tuning({ rate: 1e-5, headRate: 1e-5, epochs: 1 }), train, validation),
      await fineTune(model, tuning({ rate: 1e-5, headRate: 1e-5, epochs: 1, tilesAtOnce: 2 }), train, validation),
    ];
    expect(furthest(parts.encoder, whole.encoder)).toBeLessThan(2e-6);
    expect(parts.history[0]?.trainLoss).toBeCloseTo(whole.history[0]?.trainLoss ?? 0, 5);
    const { pixels } = await slides(1, 7).get(0);
    const probabilities = [];
    for (const tilesAtOnce of [3, 100]) {
      const options = tuning({ tilesAtOnce });
      const joined = joinModels(model, options, {
        ...{ spec: head, weights: stageOne() },
        regularisers: { featureDropout: 0, tileDropout: 0, entropyWeight: 0, instanceWeight: 0 },
      });
      const evaluator = await NetworkEvaluator.open(joined, options);
      probabilities.push((await evaluator.predictWith(whole, pixels)).probabilities);
      await evaluator.close();
    }
    expect(probabilities[0]?.[0]).toBeCloseTo(probabilities[1]?.[0] ?? 0, 6);
  });

  it('goes on after a stop and ends as an uninterrupted one', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hyaline-tune-'));
    const options = tuning({ epochs: 2, tilesPerStep: 2, checkpointPath: join(folder, 'state') });
    const run = (changes: Partial<FineTuning>, hooks: Parameters<typeof fineTune>[4] = {}) =>
      fineTune(model, { ...options, ...changes }, slides(2, 3), slides(2, 2), hooks);
    const whole = await run({ checkpointPath: null });
    const stop = new AbortController();
    const onEpoch = ({ epoch }: EpochRecord): void => {
      if (epoch === 1) stop.abort();
    };
    await expect(run({}, { onEpoch, signal: stop.signal })).rejects.toMatchObject({ code: 'Cancelled' });
    const resumed = await run({});
    expect(resumed).toEqual(whole);
    rmSync(folder, { recursive: true });
  });

  it('names a network that cannot be trained', async () => {
    const old = { ...model, opsets: { '': 11 } };
    await expect(fineTune(old, tuning(), slides(2, 2), slides(2, 2))).rejects.toMatchObject({ code: 'InvalidRequest' });
  });
});
