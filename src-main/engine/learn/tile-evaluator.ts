import { withInputs } from '../graph/optimise/training-step.ts';
import { encodeModel } from '../graph/proto.ts';
import { loadRuntime, openSession, type Runtime, type Session } from '../infer/runtime.ts';
import type { BagPrediction, HeadWeights } from './evaluate-head.ts';
import { HEAD, TILE_LOGITS, tileGraph } from './head-graph.ts';
import { attentionWidth, type HeadSpec } from './head-spec.ts';

/** Tiles that go through at once: their embeddings stay in the processor's cache, and a cancel waits for no more than these. */
const TILES_AT_ONCE = 4096;

/**
 * Runs heads forward over bags tile by tile, in parts: `HeadEvaluator` gives the same numbers within rounding (a test
 * holds them together), but holds the activations of a whole bag and cannot be stopped. Heads of one shape share a
 * session; only their weights are handed in. One matrix product over the stacked first layers of all heads was tried:
 * it took as long, because the products themselves take all of the time, and slicing it apart costs what packing saves.
 * Blocks its thread while a part runs: worker threads only.
 */
export class TileEvaluator {
  readonly spec: HeadSpec;
  readonly #runtime: Runtime;
  readonly #session: Session;
  readonly #dims: ReadonlyMap<string, readonly number[]>;

  /** @param threads of the session; 0 = all cores. */
  static async open(spec: HeadSpec, threads = 0): Promise<TileEvaluator> {
    const { model, parameters } = tileGraph(spec);
    const tensors = model.graph.initializers.filter(({ name }) => parameters.includes(name));
    const bytes = encodeModel(withInputs(model, tensors));
    const session = await openSession({ model: bytes, provider: 'cpu', threads });
    const dims = new Map(tensors.map(({ name, dims }) => [name, dims]));
    return new TileEvaluator(await loadRuntime(), session, spec, dims);
  }

  private constructor(
    runtime: Runtime,
    session: Session,
    spec: HeadSpec,
    dims: ReadonlyMap<string, readonly number[]>,
  ) {
    this.#runtime = runtime;
    this.#session = session;
    this.spec = spec;
    this.#dims = dims;
  }

  /**
   * @param features tiles x featureDim, at least one tile.
   * @param onPart called after each part; throws to stop.
   */
  async predict(weights: HeadWeights, features: Float32Array, onPart: () => void = () => {}): Promise<BagPrediction> {
    const { featureDim, classes, pooling } = this.spec;
    const tiles = features.length / featureDim;
    const scores = new Float32Array(attentionWidth(pooling) > 0 ? tiles : 0);
    const logits = new Float32Array(tiles * classes);
    const feeds = Object.fromEntries(
      [...this.#dims].map(([name, dims]) => [name, this.#tensor(weights.get(name) ?? new Float32Array(0), dims)]),
    );
    for (let first = 0; first < tiles; first += TILES_AT_ONCE) {
      const end = Math.min(tiles, first + TILES_AT_ONCE);
      const rows = features.subarray(first * featureDim, end * featureDim);
      const outputs = {
        [TILE_LOGITS]: this.#tensor(logits.subarray(first * classes, end * classes), [end - first, classes]),
        ...(scores.length === 0 ? {} : { [HEAD.scores]: this.#tensor(scores.subarray(first, end), [end - first, 1]) }),
      };
      await this.#session.run({ ...feeds, [HEAD.features]: this.#tensor(rows, [end - first, featureDim]) }, outputs);
      onPart();
    }
    if (pooling === 'mean') return meanOf(logits, tiles, classes);
    if (pooling === 'max') return maxOf(logits, tiles, classes);
    return attendedOf(scores, logits, weights.get('classify_bias') ?? new Float32Array(classes));
  }

  async close(): Promise<void> {
    await this.#session.release();
  }

  #tensor(data: Float32Array, dims: readonly number[]) {
    return new this.#runtime.Tensor('float32', data, dims);
  }
}

/** Pooling of `HeadBuilder` over scores and logits of single tiles; sums in float64. The logits become contributions. */
function attendedOf(scores: Float32Array, logits: Float32Array, bias: Float32Array): BagPrediction {
  const attention = softmaxOf(scores);
  const sums = Float64Array.from(bias);
  for (let t = 0; t < attention.length; t++) {
    for (let c = 0; c < sums.length; c++) {
      const at = t * sums.length + c;
      const value = (logits[at] as number) * (attention[t] as number);
      logits[at] = value;
      sums[c] = (sums[c] as number) + value;
    }
  }
  return predicted(sums, attention, scores, logits);
}

function meanOf(logits: Float32Array, tiles: number, classes: number): BagPrediction {
  const sums = new Float64Array(classes);
  const best = bestOf(logits, tiles, classes);
  for (let at = 0; at < logits.length; at++) {
    const c = at % classes;
    sums[c] = (sums[c] as number) + (logits[at] as number) / tiles;
    logits[at] = (logits[at] as number) / tiles;
  }
  return predicted(sums, new Float32Array(tiles).fill(1 / tiles), best, logits);
}

function maxOf(logits: Float32Array, tiles: number, classes: number): BagPrediction {
  const most = new Float64Array(classes).fill(Number.NEGATIVE_INFINITY);
  for (let at = 0; at < logits.length; at++) {
    const c = at % classes;
    most[c] = Math.max(most[c] as number, logits[at] as number);
  }
  const best = bestOf(logits, tiles, classes);
  return predicted(most, softmaxOf(best), best, logits);
}

function predicted(
  logits: Float64Array,
  attention: Float32Array,
  attentionScores: Float32Array,
  contributions: Float32Array,
): BagPrediction {
  const bag = Float32Array.from(logits);
  return { logits: bag, probabilities: softmaxOf(bag), attention, attentionScores, contributions };
}

/** The largest logit of each tile. */
function bestOf(logits: Float32Array, tiles: number, classes: number): Float32Array {
  return Float32Array.from({ length: tiles }, (_, t) => {
    let best = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < classes; c++) best = Math.max(best, logits[t * classes + c] as number);
    return best;
  });
}

function softmaxOf(values: Float32Array): Float32Array {
  let top = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < values.length; i++) top = Math.max(top, values[i] as number);
  const powers = new Float64Array(values.length);
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    const power = Math.exp((values[i] as number) - top);
    powers[i] = power;
    sum += power;
  }
  const shares = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) shares[i] = (powers[i] as number) / sum;
  return shares;
}
