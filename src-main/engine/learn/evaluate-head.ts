import type { TrainedOn } from '../../../src-shared/model/study.ts';
import { floatTensor, type OnnxModel } from '../graph/model.ts';
import { withInputs } from '../graph/optimise/training-step.ts';
import { encodeModel } from '../graph/proto.ts';
import type { ProviderName } from '../infer/protocol.ts';
import { loadRuntime, openSession, type Runtime, type Session } from '../infer/runtime.ts';
import { onDevice, refuseNoNumber } from './device-failure.ts';
import { evaluationGraph, HEAD } from './head-graph.ts';
import type { HeadSpec } from './head-spec.ts';

/** Values of a head's trainable constants by name. */
export type HeadWeights = ReadonlyMap<string, Float32Array>;

export interface BagPrediction {
  /** Length = classes. */
  readonly logits: Float32Array;
  readonly probabilities: Float32Array;
  /** Length = tiles; sums to 1. */
  readonly attention: Float32Array;
  /** Length = tiles; before the softmax. */
  readonly attentionScores: Float32Array;
  /** tiles x classes: what each tile adds to each logit. */
  readonly contributions: Float32Array;
  /** What it was computed on, where devices were to choose from; absent = the CPU. */
  readonly evaluatedOn?: TrainedOn;
}

/**
 * The one forward path of a head: validation, test, display and export all go through it, always over the full bag.
 * Blocks its thread while it runs: worker threads only.
 */
export class HeadEvaluator {
  /** The weights in force; may be replaced between predictions. */
  weights: HeadWeights;
  readonly #runtime: Runtime;
  readonly #session: Session;
  readonly #provider: ProviderName;
  readonly #spec: HeadSpec;
  readonly #dims: ReadonlyMap<string, readonly number[]>;

  /**
   * @param threads of the session; 0 = all cores.
   * @param provider what it runs on; what fails on another than the CPU throws AppError DeviceFailed.
   */
  static async open(
    spec: HeadSpec,
    weights: HeadWeights,
    threads = 0,
    provider: ProviderName = 'cpu',
  ): Promise<HeadEvaluator> {
    const { model, parameters } = evaluationGraph(spec, false);
    const tensors = model.graph.initializers.filter(({ name }) => parameters.includes(name));
    const runtime = await loadRuntime();
    const bytes = encodeModel(withInputs(model, tensors));
    const session = await openSession({ model: bytes, provider, threads });
    return new HeadEvaluator(
      runtime,
      session,
      provider,
      spec,
      weights,
      new Map(tensors.map(({ name, dims }) => [name, dims])),
    );
  }

  private constructor(
    runtime: Runtime,
    session: Session,
    provider: ProviderName,
    spec: HeadSpec,
    weights: HeadWeights,
    dims: ReadonlyMap<string, readonly number[]>,
  ) {
    this.#runtime = runtime;
    this.#session = session;
    this.#provider = provider;
    this.#spec = spec;
    this.weights = weights;
    this.#dims = dims;
  }

  /** @param features tiles x featureDim, at least one tile. */
  async predict(features: Float32Array): Promise<BagPrediction> {
    const { Tensor } = this.#runtime;
    const tiles = features.length / this.#spec.featureDim;
    const feeds = Object.fromEntries(
      [...this.#dims].map(([name, dims]) => [
        name,
        new Tensor('float32', this.weights.get(name) ?? new Float32Array(0), dims),
      ]),
    );
    const inputs = { ...feeds, [HEAD.features]: new Tensor('float32', features, [tiles, this.#spec.featureDim]) };
    const results = await onDevice(this.#provider, () => this.#session.run(inputs));
    const floats = (name: string): Float32Array => results[name]?.data as Float32Array;
    refuseNoNumber(this.#provider, floats(HEAD.probabilities)[0] ?? Number.NaN);
    return {
      logits: floats(HEAD.logits),
      probabilities: floats(HEAD.probabilities),
      attention: floats(HEAD.attention),
      attentionScores: floats(HEAD.scores),
      contributions: floats(HEAD.contributions),
    };
  }

  async close(): Promise<void> {
    await this.#session.release();
  }
}

/** The trained head as a plain ONNX model that any runtime loads: features (N x D) in, everything of `HEAD` out. */
export function exportHead(spec: HeadSpec, weights: HeadWeights): OnnxModel {
  const { model } = evaluationGraph(spec, false);
  const initializers = model.graph.initializers.map((tensor) => {
    const values = weights.get(tensor.name);
    return values === undefined ? tensor : floatTensor(tensor.name, tensor.dims, values);
  });
  return { ...model, graph: { ...model.graph, initializers } };
}
