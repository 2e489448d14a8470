import { AppError } from '../../../src-shared/errors.ts';
import { RandomStream } from '../backbone/random-stream.ts';
import type { TrainingStepOptions } from '../graph/optimise/step-options.ts';
import { buildTiledStep } from '../graph/optimise/tiled-step.ts';
import { buildTrainingStep, type TrainingStep } from '../graph/optimise/training-step.ts';
import type { ProviderName } from '../infer/protocol.ts';
import { loadRuntime, type Runtime } from '../infer/runtime.ts';
import { type Bag, type BagSet, checkedBag } from './bag.ts';
import { type BagPrediction, HeadEvaluator, type HeadWeights } from './evaluate-head.ts';
import { fitScaling, foldScaling, scaledBags } from './feature-scaling.ts';
import { evaluationGraph, HEAD, HIDDEN_TILE, trainingGraph } from './head-graph.ts';
import { embeddingWidths } from './head-spec.ts';
import type { EpochRecord, HeadTraining, TrainedHead, TrainingHooks } from './head-training.ts';
import { solveTiles } from './solve-tiles.ts';
import { StepRunner } from './step-runner.ts';
import { TiledRunner } from './tiled-runner.ts';
import { TrainingDevices } from './training-devices.ts';

export { HISTOTRANSFER_TRAINING } from './head-training.ts';
export type { Bag, BagSet, EpochRecord, HeadTraining, TrainedHead, TrainingHooks };

/**
 * Trains a head on slide labels alone, one bag a step, and keeps the weights of the best validation epoch. The same
 * inputs and seeds give the same weights on the same machine and device; where a device fails in the middle, the whole
 * training is repeated on the next one. Validation runs on the device that trains. Blocks its thread while a step runs: worker threads only.
 *
 * @throws AppError Cancelled; InvalidRequest for an empty bag, a wrong label or features that are not finite.
 */
export async function trainHead(
  training: HeadTraining,
  train: BagSet,
  validation: BagSet,
  hooks: TrainingHooks = {},
): Promise<TrainedHead> {
  const isSolved = training.penalties !== undefined;
  if (training.standardise !== true && !isSolved) return await trainOn(training, train, validation, hooks);
  const { spec } = training;
  const checked: BagSet = { count: train.count, get: async (index) => checkedBag(await train.get(index), spec) };
  const scaling = await fitScaling(checked, spec.featureDim);
  const run = isSolved ? solveTiles : trainOn;
  const trained = await run(training, scaledBags(train, scaling), scaledBags(validation, scaling), hooks);
  return { ...trained, weights: foldScaling(spec, trained.weights, scaling) };
}

async function trainOn(
  training: HeadTraining,
  train: BagSet,
  validation: BagSet,
  hooks: TrainingHooks,
): Promise<TrainedHead> {
  const { devices = new TrainingDevices() } = hooks;
  const options = stepOptions(training);
  const step = buildTrainingStep(options);
  const { optimiser, threads = 0, regularisers, clipNorm, weightDecay } = training;
  const spec = { ...training.spec, seed: 0 };
  const key = JSON.stringify({ spec, regularisers, optimiser, clipNorm, weightDecay });
  const reported: number[] = [];
  // A training that is repeated on another device shows its epochs once.
  const onEpoch = (record: EpochRecord): void => {
    if (record.epoch <= reported.length) return;
    reported.push(record.epoch);
    hooks.onEpoch?.(record);
  };
  return await devices.run(
    { key, step, forward: () => evaluationGraph(training.spec).model, optimiser, groups: [GROUP], threads },
    async (provider) => {
      const stepper = await Stepper.open(training, { options, step, provider }, hooks.tilesAtOnce);
      return await runEpochs(stepper, training, train, validation, { ...hooks, onEpoch });
    },
  );
}

async function runEpochs(
  stepper: Stepper,
  training: HeadTraining,
  train: BagSet,
  validation: BagSet,
  hooks: TrainingHooks,
): Promise<TrainedHead> {
  const weights = await stepper.weights();
  const evaluator = await HeadEvaluator.open(training.spec, weights, training.threads, stepper.provider);
  const history: EpochRecord[] = [];
  let best: TrainedHead | null = null;
  try {
    for (let epoch = 1; epoch <= training.epochs; epoch++) {
      const trainLoss = await runEpoch(stepper, training, train, epoch, hooks.signal);
      evaluator.weights = await stepper.weights();
      const { loss, accuracy } = await score(evaluator, validation);
      const record = { epoch, trainLoss, validationLoss: loss, validationAccuracy: accuracy };
      history.push(record);
      hooks.onEpoch?.(record);
      if (best === null || isBetter(training, record, history[best.bestEpoch - 1])) {
        best = { weights: evaluator.weights, bestEpoch: epoch, history };
      }
      if (training.patience !== null && epoch - best.bestEpoch >= training.patience) break;
    }
  } finally {
    await stepper.close();
    await evaluator.close();
  }
  if (best === null) throw new AppError('InvalidRequest', 'Training needs at least one epoch.');
  return best;
}

function isBetter({ keepBestBy, keepLast }: HeadTraining, record: EpochRecord, best: EpochRecord | undefined): boolean {
  if (best === undefined || keepLast === true) return true;
  return keepBestBy === 'loss'
    ? record.validationLoss < best.validationLoss
    : record.validationAccuracy >= best.validationAccuracy;
}

async function runEpoch(
  stepper: Stepper,
  training: HeadTraining,
  bags: BagSet,
  epoch: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  const order = shuffled(bags.count, new RandomStream(training.seed, `order of epoch ${epoch}`));
  let total = 0;
  for (const index of order) {
    if (signal?.aborted) throw new AppError('Cancelled', 'Training was cancelled.');
    total += await stepper.step(checkedBag(await bags.get(index), training.spec));
  }
  return total / Math.max(1, bags.count);
}

/** Mean cross-entropy and accuracy, one term per slide. */
async function score(evaluator: HeadEvaluator, bags: BagSet): Promise<{ loss: number; accuracy: number }> {
  let [loss, right] = [0, 0];
  for (let index = 0; index < bags.count; index++) {
    const bag = await bags.get(index);
    const { probabilities }: BagPrediction = await evaluator.predict(bag.features);
    loss -= Math.log(Math.max(probabilities[bag.label] ?? 0, 1e-12));
    right += Number(probabilities.indexOf(Math.max(...probabilities)) === bag.label);
  }
  const count = Math.max(1, bags.count);
  return { loss: loss / count, accuracy: right / count };
}

/** The learning rate of a step, from 1. */
function warmedRate({ rate, warmupSteps = 0 }: HeadTraining, step: number): number {
  return step < warmupSteps ? (rate * step) / warmupSteps : rate;
}

/** 0..count-1 in random order (Fisher-Yates). */
export function shuffled(count: number, stream: RandomStream): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(stream.nextUniform() * (i + 1));
    [order[i], order[j]] = [order[j] ?? 0, order[i] ?? 0];
  }
  return order;
}

const TILES_AT_ONCE = 8192;
const GROUP = 'head';

function stepOptions({ spec, regularisers, optimiser, weightDecay, clipNorm }: HeadTraining): TrainingStepOptions {
  const { model, parameters } = trainingGraph(spec, regularisers);
  const groups = [{ name: GROUP, parameters, weightDecay }];
  return { model, loss: HEAD.loss, groups, optimiser, clipNorm, watch: [], inputDims: {} };
}

/** The training session with its moving weights. */
class Stepper {
  readonly #runtime: Runtime;
  readonly #runner: StepRunner;
  readonly #training: HeadTraining;
  readonly #options: TrainingStepOptions;
  readonly #tilesAtOnce: number;
  readonly #masks: RandomStream;
  #tiled: TiledRunner | null = null;
  #step = 0;

  static async open(
    training: HeadTraining,
    { options, step, provider }: { options: TrainingStepOptions; step: TrainingStep; provider: ProviderName },
    tilesAtOnce = TILES_AT_ONCE,
  ): Promise<Stepper> {
    const { optimiser, seed, threads = 0 } = training;
    const runner = await StepRunner.open(step, { optimiser, seed, threads, provider });
    return new Stepper(await loadRuntime(), runner, training, options, tilesAtOnce);
  }

  private constructor(
    runtime: Runtime,
    runner: StepRunner,
    training: HeadTraining,
    options: TrainingStepOptions,
    tilesAtOnce: number,
  ) {
    this.#runtime = runtime;
    this.#runner = runner;
    this.#training = training;
    this.#options = options;
    this.#tilesAtOnce = tilesAtOnce;
    this.#masks = new RandomStream(training.seed, 'masks');
  }

  /** One update on one bag; returns its loss. */
  async step(bag: Bag): Promise<number> {
    this.#step++;
    const rates = { [GROUP]: warmedRate(this.#training, this.#step) };
    const data = this.#data(bag);
    if (bag.features.length / this.#training.spec.featureDim <= this.#tilesAtOnce) {
      return (await this.#runner.step(data, rates)).loss;
    }
    this.#tiled ??= await TiledRunner.open(
      buildTiledStep(this.#options, 'N'),
      this.#tilesAtOnce,
      this.#runner,
      this.#training.threads,
    );
    return await this.#tiled.step(this.#runner, data, rates);
  }

  get provider(): ProviderName {
    return this.#runner.provider;
  }

  /** A copy of the weights as they are now. */
  async weights(): Promise<HeadWeights> {
    await this.#runner.toHost();
    return this.#runner.weights();
  }

  async close(): Promise<void> {
    await this.#runner.close();
    await this.#tiled?.close();
  }

  #data(bag: Bag): Record<string, InstanceType<Runtime['Tensor']>> {
    const { spec, regularisers, classWeights } = this.#training;
    const tiles = bag.features.length / spec.featureDim;
    const target = new Float32Array(spec.classes);
    target[bag.label] = classWeights[bag.label] ?? 1;
    const width = embeddingWidths(spec.pooling).at(-1) ?? spec.featureDim;
    const kept = this.#mask(width, regularisers.featureDropout);
    const featureMask = kept.map((keep) => keep / (1 - regularisers.featureDropout));
    const tileMask = this.#mask(tiles, regularisers.tileDropout).map((keep) => (keep === 1 ? 0 : HIDDEN_TILE));
    const all: Record<string, InstanceType<Runtime['Tensor']>> = {
      [HEAD.features]: this.#tensor(bag.features, [tiles, spec.featureDim]),
      [HEAD.target]: this.#tensor(target, [1, spec.classes]),
      [HEAD.featureMask]: this.#tensor(featureMask, [1, width]),
      [HEAD.tileMask]: this.#tensor(tileMask, [tiles, 1]),
    };
    return Object.fromEntries(Object.entries(all).filter(([name]) => this.#runner.inputNames.includes(name)));
  }

  /** Ones, with the given share of zeros; never all zero. */
  #mask(count: number, share: number): Float32Array {
    const mask = new Float32Array(count).fill(1);
    if (share === 0) return mask;
    for (let i = 0; i < count; i++) if (this.#masks.nextUniform() < share) mask[i] = 0;
    if (!mask.includes(1)) mask[0] = 1;
    return mask;
  }

  #tensor(data: Float32Array, dims: readonly number[]): InstanceType<Runtime['Tensor']> {
    return new this.#runtime.Tensor('float32', data, dims);
  }
}
