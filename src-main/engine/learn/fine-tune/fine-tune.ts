import { AppError } from '../../../../src-shared/errors.ts';
import { RandomStream } from '../../backbone/random-stream.ts';
import type { OnnxModel } from '../../graph/model.ts';
import { ADAM } from '../../graph/optimise/optimiser.ts';
import type { TrainingStepOptions } from '../../graph/optimise/step-options.ts';
import { buildTiledStep, type TiledStep } from '../../graph/optimise/tiled-step.ts';
import { buildTrainingStep, type TrainingStep } from '../../graph/optimise/training-step.ts';
import { Preprocessor } from '../../infer/preprocess.ts';
import type { ProviderName } from '../../infer/protocol.ts';
import { isOutOfMemory, loadRuntime, type Runtime, runFailure } from '../../infer/runtime.ts';
import { HEAD } from '../head-graph.ts';
import { embeddingWidths, NO_REGULARISERS } from '../head-spec.ts';
import type { Feeds } from '../moving-tensor.ts';
import { StepRunner } from '../step-runner.ts';
import { TiledRunner } from '../tiled-runner.ts';
import { type EpochRecord, shuffled } from '../train-head.ts';
import { TrainingDevices } from '../training-devices.ts';
import { readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import type { FineTuned, FineTuning, FineTuningHooks, PixelBagSet } from './fine-tuning.ts';
import { inHead, type JoinedModel, joinModels } from './joined-model.ts';
import { NetworkEvaluator } from './network-evaluator.ts';
import { plainGraph } from './plain-graph.ts';

/**
 * Stage 2 of HistoTransfer (Sharma et al., arXiv 2106.07068, and its code): encoder and head of stage 1 are trained
 * together on the slides' labels, one bag of chosen tiles a step, Adam, batch norms frozen (their running statistics do
 * not change). Keeps the weights of the best validation epoch; a stopped training goes on after its last whole epoch and
 * ends as an uninterrupted one. Blocks its thread while a step runs: worker threads only.
 *
 * @throws AppError Cancelled; DeviceFailed where memory runs out; InvalidRequest for a network that cannot be trained, with the operator in the detail.
 */
export async function fineTune(
  backbone: OnnxModel,
  tuning: FineTuning,
  train: PixelBagSet,
  validation: PixelBagSet,
  hooks: FineTuningHooks = {},
): Promise<FineTuned> {
  const { devices = new TrainingDevices() } = hooks;
  const { threads } = tuning;
  const key = `fine-tuning ${tuning.checkpointKey}`;
  const planned = await plannedTraining(backbone, tuning);
  const step = { key, step: planned.step, optimiser: ADAM, groups: [ENCODER, HEAD_GROUP], threads };
  return await devices.run(step, async (provider) => {
    let tuner: Tuner | null = null;
    try {
      tuner = await Tuner.open(planned, tuning, provider);
      return await tuner.run(train, validation, hooks);
    } catch (cause) {
      throw trainingFailure(cause);
    } finally {
      await tuner?.close();
    }
  });
}

/** What a step that could not be computed means to the user. */
function trainingFailure(cause: unknown): unknown {
  const failure = cause instanceof AppError ? cause : runFailure(cause);
  if (!isOutOfMemory(failure)) return failure;
  return new AppError('DeviceFailed', 'There is not enough memory to train this backbone.', {
    advice: 'Keep more of the backbone as it is, take fewer tiles of each slide, or close other programs.',
    detail: failure.detail,
    cause,
  });
}

const ENCODER = 'encoder';
const HEAD_GROUP = 'head';

/** Network and head in one graph, and its step: whole bags in one graph, and large ones in parts. */
interface Planned {
  readonly joined: JoinedModel;
  readonly step: TrainingStep;
  readonly parts: TiledStep;
}

async function plannedTraining(backbone: OnnxModel, tuning: FineTuning): Promise<Planned> {
  const { head, headWeights } = tuning;
  const plain = await plainGraph(backbone, tuning.input, tuning.inputName);
  const joined = joinModels(plain, tuning, { spec: head, weights: headWeights, regularisers: NO_REGULARISERS });
  const [step, parts] = gradientsOf({
    ...{ model: joined.model, loss: joined.loss, optimiser: ADAM, clipNorm: null, watch: [], inputDims: {} },
    groups: [
      { name: ENCODER, parameters: joined.encoderWeights, weightDecay: 0 },
      { name: HEAD_GROUP, parameters: joined.headWeights, weightDecay: 0 },
    ],
  });
  return { joined, step, parts };
}

class Tuner {
  readonly #runtime: Runtime;
  readonly #tuning: FineTuning;
  readonly #joined: JoinedModel;
  readonly #runner: StepRunner;
  readonly #tiled: TiledRunner;
  readonly #evaluator: NetworkEvaluator;
  readonly #preprocessor: Preprocessor;

  static async open({ joined, step, parts }: Planned, tuning: FineTuning, provider: ProviderName): Promise<Tuner> {
    const { tilesAtOnce, threads, seed } = tuning;
    const runner = await StepRunner.open(step, { optimiser: ADAM, seed, threads, provider });
    const tiled = await TiledRunner.open(parts, tilesAtOnce, runner, threads);
    const evaluator = await NetworkEvaluator.open(joined, tuning, provider);
    return new Tuner(await loadRuntime(), tuning, joined, runner, tiled, evaluator);
  }

  private constructor(
    runtime: Runtime,
    tuning: FineTuning,
    joined: JoinedModel,
    runner: StepRunner,
    tiled: TiledRunner,
    evaluator: NetworkEvaluator,
  ) {
    this.#runtime = runtime;
    this.#tuning = tuning;
    this.#joined = joined;
    this.#runner = runner;
    this.#tiled = tiled;
    this.#evaluator = evaluator;
    this.#preprocessor = new Preprocessor(tuning.input);
  }

  async run(
    train: PixelBagSet,
    validation: PixelBagSet,
    hooks: FineTuningHooks,
  ): Promise<Omit<FineTuned, 'trainedOn'>> {
    const { epochs, checkpointPath, checkpointKey } = this.#tuning;
    const kept = checkpointPath === null ? null : await readCheckpoint(checkpointPath, checkpointKey);
    if (kept !== null) this.#runner.restore(kept.now);
    const history: EpochRecord[] = [...(kept?.history ?? [])];
    for (const record of history) hooks.onEpoch?.(record);
    let [best, bestEpoch] = [kept?.best ?? this.#runner.weights(), kept?.bestEpoch ?? 0];
    for (let epoch = history.length + 1; epoch <= epochs; epoch++) {
      const trainLoss = await this.#epoch(train, epoch, hooks);
      await this.#runner.toHost();
      const { loss, accuracy } = await this.#evaluator.score(this.#runner.parameters(), validation);
      const record = { epoch, trainLoss, validationLoss: loss, validationAccuracy: accuracy };
      if (this.#isBetter(record, history[bestEpoch - 1])) [best, bestEpoch] = [this.#runner.weights(), epoch];
      history.push(record);
      hooks.onEpoch?.(record);
      const now = { history, bestEpoch, now: this.#runner.snapshot(), best };
      if (checkpointPath !== null) await writeCheckpoint(checkpointPath, checkpointKey, now);
    }
    const { encoderWeights, headWeights } = this.#joined;
    const values = (name: string): Float32Array => best.get(name) ?? new Float32Array();
    const encoder = new Map(encoderWeights.map((name) => [name, values(name)]));
    const head = new Map(headWeights.map((name) => [name.slice(inHead('').length), values(name)]));
    return { encoder, head, bestEpoch, history };
  }

  async close(): Promise<void> {
    await this.#runner.close();
    await this.#tiled.close();
    await this.#evaluator.close();
  }

  #isBetter(record: EpochRecord, best: EpochRecord | undefined): boolean {
    if (best === undefined) return true;
    return this.#tuning.keepBestBy === 'loss'
      ? record.validationLoss < best.validationLoss
      : record.validationAccuracy >= best.validationAccuracy;
  }

  async #epoch(bags: PixelBagSet, epoch: number, { signal, onStep }: FineTuningHooks): Promise<number> {
    const { seed, rate, headRate, tilesAtOnce } = this.#tuning;
    const rates = { [ENCODER]: rate, [HEAD_GROUP]: headRate };
    let [total, done] = [0, 0];
    for (const index of shuffled(bags.count, new RandomStream(seed, `slides of epoch ${epoch}`))) {
      if (signal?.aborted) throw new AppError('Cancelled', 'Fine-tuning was cancelled.');
      const { pixels, label } = await bags.get(index);
      const data = this.#feeds(pixels, label, new RandomStream(seed, `tiles of slide ${index} in epoch ${epoch}`));
      const tiles = data[this.#tuning.inputName]?.dims[0] ?? 0;
      total +=
        tiles <= tilesAtOnce
          ? (await this.#runner.step(data, rates)).loss
          : await this.#tiled.step(this.#runner, data, rates);
      onStep?.((epoch - 1) * bags.count + ++done);
    }
    return total / Math.max(1, bags.count);
  }

  /** The inputs of a step: images, target, and masks that let everything through. */
  #feeds(pixels: Uint8Array, label: number, stream: RandomStream): Feeds {
    const { head, tilesPerStep, input, inputName, classWeights } = this.#tuning;
    const size = this.#preprocessor.valuesPerTile;
    const all = pixels.length / size;
    if (!(all >= 1) || !Number.isInteger(all))
      throw new AppError('InvalidRequest', 'A slide of this study has no tiles.');
    const chosen = tilesPerStep === null || tilesPerStep >= all ? null : shuffled(all, stream).slice(0, tilesPerStep);
    const tiles = chosen?.length ?? all;
    const images = new Float32Array(tiles * size);
    if (chosen === null) this.#preprocessor.fill(pixels, all, images);
    for (const [slot, tile] of (chosen ?? []).entries()) {
      const to = images.subarray(slot * size, (slot + 1) * size);
      this.#preprocessor.fill(pixels.subarray(tile * size, (tile + 1) * size), 1, to);
    }
    const target = new Float32Array(head.classes);
    target[label] = classWeights[label] ?? 1;
    const width = embeddingWidths(head.pooling).at(-1) ?? head.featureDim;
    const { widthPx, heightPx, layout } = input;
    const place = layout === 'NCHW' ? [3, heightPx, widthPx] : [heightPx, widthPx, 3];
    const { Tensor } = this.#runtime;
    return {
      [inputName]: new Tensor('float32', images, [tiles, ...place]),
      [inHead(HEAD.target)]: new Tensor('float32', target, [1, head.classes]),
      [inHead(HEAD.featureMask)]: new Tensor('float32', new Float32Array(width).fill(1), [1, width]),
      [inHead(HEAD.tileMask)]: new Tensor('float32', new Float32Array(tiles), [tiles, 1]),
    };
  }
}

/** Both forms of the step: whole bags in one graph, and large ones in parts. */
function gradientsOf(options: TrainingStepOptions) {
  try {
    return [buildTrainingStep(options), buildTiledStep(options, 'N')] as const;
  } catch (cause) {
    throw new AppError('InvalidRequest', 'This backbone holds operations that cannot be trained.', {
      advice: 'Use one of the networks that Hyaline builds itself, such as ResNet or DenseNet.',
      detail: cause instanceof Error ? cause.message : String(cause),
      cause,
    });
  }
}
