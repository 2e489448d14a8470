import { describe, expect, it } from 'vitest';
import { RandomStream } from '../backbone/random-stream.ts';
import { rocAuc } from '../study/metrics.ts';
import type { Bag, BagSet } from './bag.ts';
import { HeadEvaluator, type HeadWeights } from './evaluate-head.ts';
import { TILE_PENALTIES } from './solve-tiles.ts';
import { type HeadTraining, trainHead } from './train-head.ts';

const DIM = 8;

/** Bags of noise whose positive ones hold a fifth of shifted tiles; features of unlike scales. */
function bagsOf(count: number, seed: number, shift = 3): Bag[] {
  const stream = new RandomStream(seed, 'bags');
  return Array.from({ length: count }, (_, b) => {
    const features = Float32Array.from({ length: 20 * DIM }, (_, at) => {
      const isShifted = b % 2 === 1 && at < 4 * DIM && at % DIM < 2;
      return (at % DIM === 0 ? 0.01 : 10) * (stream.nextNormal() + (isShifted ? shift : 0));
    });
    return { features, label: b % 2 };
  });
}

const setOf = (bags: readonly Bag[]): BagSet => ({ count: bags.length, get: async (i) => bags[i] as Bag });

const training: HeadTraining = {
  spec: { pooling: 'mean', gated: false, featureDim: DIM, classes: 2, seed: 1 },
  regularisers: { featureDropout: 0, tileDropout: 0, entropyWeight: 0, instanceWeight: 0 },
  optimiser: { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  ...{ rate: 1e-3, weightDecay: 0, clipNorm: null, epochs: 1, patience: null, keepBestBy: 'loss', seed: 1 },
  ...{ classWeights: [1, 1], penalties: TILE_PENALTIES },
};

describe('a head of tiles that is solved for', () => {
  it('scores shifted tiles of unseen bags above all others, whatever the seed', async () => {
    const [train, validation] = [setOf(bagsOf(40, 1)), setOf(bagsOf(20, 2))];
    const trained = await trainHead(training, train, validation);
    const again = await trainHead({ ...training, seed: 9 }, train, validation);
    expect(again.weights).toEqual(trained.weights);
    const evaluator = await HeadEvaluator.open(training.spec, trained.weights, 1);
    const { features } = bagsOf(2, 3)[1] as Bag;
    const { contributions } = await evaluator.predict(features);
    await evaluator.close();
    const pulls = Array.from({ length: 20 }, (_, t) => (contributions[2 * t + 1] ?? 0) - (contributions[2 * t] ?? 0));
    const misplaced = pulls.slice(0, 4).map((pull) => pulls.slice(4).filter((other) => other >= pull).length);
    expect(misplaced.reduce((a, b) => a + b, 0)).toBeLessThan(4);
  });

  describe('with labels of their own for tiles', () => {
    const relabelled: HeadTraining = { ...training, backgroundClass: 0 };
    // Little is told by one tile of a slide: a twentieth of shifted tiles, two standard deviations away.
    const faint = (count: number, seed: number): BagSet => setOf(bagsOf(count, seed, 2));

    it('ranks tiles of unseen slides at least as well, and slides as their labels say', async () => {
      const [train, validation, test] = [faint(40, 1), faint(20, 2), faint(40, 3)];
      const before = await judged((await trainHead(training, train, validation)).weights, test);
      const after = await judged((await trainHead(relabelled, train, validation)).weights, test);
      expect(after.tileAuc).toBeGreaterThan(before.tileAuc);
      expect(after.slideAuc).toBeGreaterThan(0.95);
      // Slides' probabilities are of use as such: most lie on the side of their label.
      expect(after.accuracy).toBeGreaterThan(0.85);
    });

    it('takes the named class for the background, whichever it is', async () => {
      const turned = async (set: BagSet): Promise<BagSet> => ({
        count: set.count,
        get: async (i) => ({ ...(await set.get(i)), label: 1 - (await set.get(i)).label }),
      });
      const [train, validation, test] = [faint(40, 1), faint(20, 2), faint(20, 3)];
      const asIs = await judged((await trainHead(relabelled, train, validation)).weights, test);
      const other = { ...relabelled, backgroundClass: 1 };
      const trained = await trainHead(other, await turned(train), await turned(validation));
      const mirrored = await judged(trained.weights, await turned(test));
      expect(1 - mirrored.tileAuc).toBeCloseTo(asIs.tileAuc, 3);
      expect(mirrored.slideAuc).toBeCloseTo(asIs.slideAuc, 3);
    });

    it('says next to nothing of noise, and refuses three classes', async () => {
      const [train, validation] = [setOf(bagsOf(40, 1, 0)), setOf(bagsOf(20, 2, 0))];
      const { weights } = await trainHead(relabelled, train, validation);
      const { probabilities } = await judged(weights, setOf(bagsOf(20, 3, 0)));
      expect(probabilities.every((probability) => Math.abs(probability - 0.5) < 0.35)).toBe(true);
      const spec = { ...training.spec, classes: 3 };
      const refused = trainHead({ ...relabelled, spec, classWeights: [1, 1, 1] }, train, validation);
      await expect(refused).rejects.toMatchObject({ code: 'InvalidRequest' });
    });
  });

  it('keeps the penalty with the least cross-entropy of validation, and tells each that was tried', async () => {
    const seen: number[] = [];
    const hooks = { onEpoch: ({ penalty = 0 }: { penalty?: number }): number => seen.push(penalty) };
    const { history, bestEpoch } = await trainHead(training, setOf(bagsOf(40, 1, 0)), setOf(bagsOf(20, 2, 0)), hooks);
    expect(seen).toEqual(history.map(({ penalty }) => penalty));
    const losses = history.map(({ validationLoss }) => validationLoss);
    expect(losses.indexOf(Math.min(...losses))).toBe(bestEpoch - 1);
    expect(history[0]?.penalty).toBe(TILE_PENALTIES[0]);
    // Noise is best met by saying next to nothing.
    expect(Math.min(...losses)).toBeGreaterThan(0.68);
  });

  it('stands at a minimum: neither a step up nor down of a weight lowers the loss that it was solved for', async () => {
    const train = bagsOf(30, 4).map(({ features, label }) => ({
      features: features.map((v, i) => (i % DIM === 0 ? 100 * v : v / 10)),
      label,
    }));
    const [penalty] = [0.1];
    const { weights } = await trainHead({ ...training, penalties: [penalty] }, setOf(train), setOf(train));
    const loss = penalised(train, weights, penalty);
    for (const [name, values] of weights) {
      for (const i of values.keys()) {
        for (const step of [-1e-2, 1e-2]) {
          const moved = new Map(weights).set(
            name,
            values.map((value, at) => (at === i ? value + step : value)),
          );
          expect(penalised(train, moved, penalty)).toBeGreaterThan(loss);
        }
      }
    }
  });

  it('refuses a head with attention', async () => {
    const bags = setOf(bagsOf(4, 1));
    const spec = { ...training.spec, pooling: 'histotransfer' } as const;
    await expect(trainHead({ ...training, spec }, bags, bags)).rejects.toMatchObject({ code: 'InvalidRequest' });
  });
});

/** The loss as its formula has it: features have variance 1 nearly, so the weights are those that were penalised. */
function penalised(bags: readonly Bag[], weights: ReadonlyMap<string, Float32Array>, penalty: number): number {
  const [w, b] = [weights.get('classify_weight') ?? [], weights.get('classify_bias') ?? []];
  const spread = spreads(bags);
  let loss = 0;
  for (const { features, label } of bags) {
    for (let tile = 0; tile < features.length / DIM; tile++) {
      const logits = [0, 1].map((c) =>
        Array.from({ length: DIM }, (_, d) => (features[tile * DIM + d] ?? 0) * (w[2 * d + c] ?? 0)).reduce(
          (a, v) => a + v,
          b[c] ?? 0,
        ),
      );
      loss += (Math.log(Math.exp(logits[0] ?? 0) + Math.exp(logits[1] ?? 0)) - (logits[label] ?? 0)) / 20 / bags.length;
    }
  }
  const squares = Array.from(w, (value, i) => (value * (spread[Math.floor(i / 2)] ?? 1)) ** 2);
  return loss + (penalty / 2) * squares.reduce((a, v) => a + v, 0);
}

function spreads(bags: readonly Bag[]): number[] {
  return Array.from({ length: DIM }, (_, d) => {
    const values = bags.flatMap(({ features }) => Array.from(features).filter((_, i) => i % DIM === d));
    const middle = values.reduce((a, v) => a + v, 0) / values.length;
    return Math.sqrt(values.reduce((a, v) => a + (v - middle) ** 2, 0) / values.length);
  });
}

/** How a head does on bags whose positive ones begin with four shifted tiles of twenty; class 1 is scored. */
async function judged(weights: HeadWeights, bags: BagSet) {
  const evaluator = await HeadEvaluator.open(training.spec, weights, 1);
  const [tiles, isShifted, slides, labels]: number[][] = [[], [], [], []];
  for (let b = 0; b < bags.count; b++) {
    const { features, label } = await bags.get(b);
    const { contributions, probabilities } = await evaluator.predict(features);
    slides?.push(probabilities[1] ?? 0);
    labels?.push(label);
    for (let t = 0; t < 20; t++) {
      tiles?.push((contributions[2 * t + 1] ?? 0) - (contributions[2 * t] ?? 0));
      isShifted?.push(Number(b % 2 === 1 && t < 4));
    }
  }
  await evaluator.close();
  return {
    tileAuc: rocAuc(isShifted ?? [], tiles ?? []),
    probabilities: slides ?? [],
    slideAuc: rocAuc(labels ?? [], slides ?? []),
    accuracy: (labels ?? []).filter((label, i) => label === Number((slides?.[i] ?? 0) > 0.5)).length / bags.count,
  };
}
