import { AppError } from '../../../../src-shared/errors.ts';
import { withInputs } from '../../graph/optimise/training-step.ts';
import { encodeModel } from '../../graph/proto.ts';
import { Preprocessor } from '../../infer/preprocess.ts';
import type { ProviderName } from '../../infer/protocol.ts';
import { loadRuntime, openSession, type Runtime, type Session } from '../../infer/runtime.ts';
import { onDevice } from '../device-failure.ts';
import { type BagPrediction, HeadEvaluator } from '../evaluate-head.ts';
import type { Feeds } from '../moving-tensor.ts';
import type { FineTuned, FineTuning, PixelBagSet } from './fine-tuning.ts';
import { ENCODED, inHead, type JoinedModel } from './joined-model.ts';

/** Encoder and head with moving weights, forward only: tiles go through in parts, the head sees the whole bag. */
export class NetworkEvaluator {
  readonly #runtime: Runtime;
  readonly #tuning: FineTuning;
  readonly #joined: JoinedModel;
  readonly #encoder: Session;
  readonly #provider: ProviderName;
  readonly #head: HeadEvaluator;
  readonly #preprocessor: Preprocessor;

  /** @param provider of the encoder, which takes the time; the head runs on the CPU. */
  static async open(
    joined: JoinedModel,
    tuning: FineTuning,
    provider: ProviderName = 'cpu',
  ): Promise<NetworkEvaluator> {
    const { encoder, encoderWeights } = joined;
    const tensors = encoder.graph.initializers.filter(({ name }) => encoderWeights.includes(name));
    const bytes = encodeModel(withInputs(encoder, tensors));
    const session = await openSession({ model: bytes, provider, threads: tuning.threads });
    const head = await HeadEvaluator.open(tuning.head, tuning.headWeights, tuning.threads);
    return new NetworkEvaluator(await loadRuntime(), tuning, joined, session, head, provider);
  }

  private constructor(
    runtime: Runtime,
    tuning: FineTuning,
    joined: JoinedModel,
    encoder: Session,
    head: HeadEvaluator,
    provider: ProviderName,
  ) {
    this.#provider = provider;
    this.#runtime = runtime;
    this.#tuning = tuning;
    this.#joined = joined;
    this.#encoder = encoder;
    this.#head = head;
    this.#preprocessor = new Preprocessor(tuning.input);
  }

  /** Mean cross-entropy and accuracy, one term per slide. @param weights of the joined graph, by name. */
  async score(weights: Feeds, bags: PixelBagSet): Promise<{ readonly loss: number; readonly accuracy: number }> {
    let [loss, right] = [0, 0];
    for (let index = 0; index < bags.count; index++) {
      const { pixels, label } = await bags.get(index);
      const { probabilities } = await this.predict(weights, pixels);
      loss -= Math.log(Math.max(probabilities[label] ?? 0, 1e-12));
      right += Number(probabilities.indexOf(Math.max(...probabilities)) === label);
    }
    const count = Math.max(1, bags.count);
    return { loss: loss / count, accuracy: right / count };
  }

  /** As `predict`, with weights in plain arrays. */
  async predictWith(
    { encoder, head }: Pick<FineTuned, 'encoder' | 'head'>,
    pixels: Uint8Array,
  ): Promise<BagPrediction> {
    const { Tensor } = this.#runtime;
    const named = new Map([...encoder, ...[...head].map(([name, values]) => [inHead(name), values] as const)]);
    const tensors = this.#joined.model.graph.initializers.flatMap(({ name, dims }) => {
      const values = named.get(name);
      return values === undefined ? [] : [[name, new Tensor('float32', values, dims)] as const];
    });
    return await this.predict(Object.fromEntries(tensors), pixels);
  }

  /** The head's answer for a bag of pixels of any size. */
  async predict(weights: Feeds, pixels: Uint8Array): Promise<BagPrediction> {
    const { inputName, input, tilesAtOnce, head } = this.#tuning;
    const { valuesPerTile } = this.#preprocessor;
    const tiles = pixels.length / valuesPerTile;
    if (!(tiles >= 1)) throw new AppError('InvalidRequest', 'A slide of this study has no tiles.');
    const { widthPx, heightPx, layout } = input;
    const place = layout === 'NCHW' ? [3, heightPx, widthPx] : [heightPx, widthPx, 3];
    const known = Object.entries(weights).filter(([name]) => this.#encoder.inputNames.includes(name));
    const features = new Float32Array(tiles * head.featureDim);
    for (let first = 0; first < tiles; first += tilesAtOnce) {
      const count = Math.min(tilesAtOnce, tiles - first);
      const images = new Float32Array(count * valuesPerTile);
      this.#preprocessor.fill(pixels.subarray(first * valuesPerTile), count, images);
      const tensor = new this.#runtime.Tensor('float32', images, [count, ...place]);
      const feeds = { ...Object.fromEntries(known), [inputName]: tensor };
      const results = await onDevice(this.#provider, () => this.#encoder.run(feeds));
      features.set(results[ENCODED]?.data as Float32Array, first * head.featureDim);
    }
    const own = this.#joined.headWeights.map(
      (name) => [name.slice(inHead('').length), weights[name]?.data as Float32Array] as const,
    );
    this.#head.weights = new Map(own);
    return await this.#head.predict(features);
  }

  async close(): Promise<void> {
    await this.#encoder.release();
    await this.#head.close();
  }
}
