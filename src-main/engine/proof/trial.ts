import type { BagSet } from '../learn/bag.ts';
import { HeadEvaluator } from '../learn/evaluate-head.ts';
import { type EpochRecord, type HeadTraining, trainHead } from '../learn/train-head.ts';
import type { MadeBag } from './make-bags.ts';

/** One head to train and to look at. Plain data: it crosses to a worker thread. */
export interface Trial {
  readonly training: HeadTraining;
  /** Tiles x featureDim, float32; shared between threads. */
  readonly features: SharedArrayBuffer;
  readonly train: readonly MadeBag[];
  readonly validation: readonly MadeBag[];
  readonly test: readonly MadeBag[];
}

/** What a trained head makes of the tiles and bags. Class 1 is the positive one. */
export interface TrialResult {
  readonly history: readonly EpochRecord[];
  readonly bestEpoch: number;
  /** Logit of the positive class less that of the other, of each bag. */
  readonly validation: Float64Array;
  readonly test: Float64Array;
  /** Of each tile: attention before the softmax; comparable between bags, as it looks at the tile alone. */
  readonly attention: Float64Array;
  /** tiles x 2: the head's logits for each tile as a bag of its own. */
  readonly logits: Float64Array;
  /** Of each tile: what it adds to the positive logit less the other, without the bias. */
  readonly pull: Float64Array;
}

/**
 * Trains one head on bag labels, judges bags by the full forward pass and every tile as a bag of one. Blocks its thread:
 * worker threads only.
 */
export async function runTrial({ training, features, train, validation, test }: Trial): Promise<TrialResult> {
  const tiles = new Float32Array(features);
  const { featureDim } = training.spec;
  const rows = (bag: MadeBag): Float32Array => {
    const out = new Float32Array(bag.tiles.length * featureDim);
    bag.tiles.forEach((tile, i) => {
      out.set(tiles.subarray(tile * featureDim, (tile + 1) * featureDim), i * featureDim);
    });
    return out;
  };
  const setOf = (bags: readonly MadeBag[]): BagSet => ({
    count: bags.length,
    get: async (i) => {
      const bag = bags[i] ?? { tiles: new Uint32Array(0), label: 0 };
      return { features: rows(bag), label: bag.label };
    },
  });
  const { weights, bestEpoch, history } = await trainHead(training, setOf(train), setOf(validation));
  const evaluator = await HeadEvaluator.open(training.spec, weights, training.threads);
  try {
    const judge = async (bags: readonly MadeBag[]): Promise<Float64Array> => {
      const out = new Float64Array(bags.length);
      for (const [i, bag] of bags.entries()) out[i] = difference((await evaluator.predict(rows(bag))).logits);
      return out;
    };
    const count = tiles.length / featureDim;
    const [attention, logits, pull] = [new Float64Array(count), new Float64Array(2 * count), new Float64Array(count)];
    for (let tile = 0; tile < count; tile++) {
      const alone = await evaluator.predict(tiles.slice(tile * featureDim, (tile + 1) * featureDim));
      attention[tile] = alone.attentionScores[0] ?? 0;
      logits.set(alone.logits, 2 * tile);
      pull[tile] = difference(alone.contributions);
    }
    return {
      ...{ history, bestEpoch, attention, logits, pull },
      validation: await judge(validation),
      test: await judge(test),
    };
  } finally {
    await evaluator.close();
  }
}

const difference = (perClass: Float32Array): number => (perClass[1] ?? 0) - (perClass[0] ?? 0);
