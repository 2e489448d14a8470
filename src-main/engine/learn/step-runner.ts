import { RandomStream } from '../backbone/random-stream.ts';
import { drawMask } from '../graph/autodiff/dropout.ts';
import type { HeldFilters } from '../graph/blocked/held-filters.ts';
import { elementCount, floatTensor, type OnnxModel } from '../graph/model.ts';
import { FIRST_LOSS_SCALE, type LossScale, nextLossScale } from '../graph/optimise/loss-scale.ts';
import { corrections, type OptimiserSpec } from '../graph/optimise/optimiser.ts';
import { GRADIENT_SCALE, LOSS_SCALE, rateInput } from '../graph/optimise/step-options.ts';
import type { StateTensor, TrainingStep } from '../graph/optimise/training-step.ts';
import type { ProviderName } from '../infer/protocol.ts';
import { keepsOutputs, loadRuntime, type Runtime, type Session } from '../infer/runtime.ts';
import { onDevice, refuseNoNumber } from './device-failure.ts';
import { type Feeds, MovingTensor, type Tensor } from './moving-tensor.ts';
import { heldFilters, openStep } from './open-step.ts';
import { readBack } from './read-back.ts';
import { runStep } from './run-in-place.ts';

export interface RunnerOptions {
  readonly optimiser: OptimiserSpec;
  /** Seed of the dropout masks. */
  readonly seed: number;
  /** Threads of an operator; 0 = all cores. */
  readonly threads?: number;
  /** What it runs on; the CPU where left out. */
  readonly provider?: ProviderName;
  readonly lossScale?: LossScale;
}

interface OpenedGraphs {
  readonly session: Session;
  readonly update: Session | null;
  readonly held: HeldFilters | null;
}

/**
 * Runs a training step again and again on any provider. Every tensor that moves (weights, optimiser state, accumulators)
 * stays on the device where the provider allows it (`keepsOutputs`), else in preallocated buffers that onnxruntime reads
 * and writes: no weight is copied or allocated in a step. Blocks its thread while a step runs: worker
 * threads only. What fails on a device other than the CPU throws AppError DeviceFailed, also a loss that is no number.
 */
export class StepRunner {
  lossScale: LossScale;
  /** Inputs that this runner hands on in blocks of channels (`heldFilters`). */
  readonly held: HeldFilters | null;
  readonly #runtime: Runtime;
  readonly #step: TrainingStep;
  readonly #options: RunnerOptions;
  readonly #session: Session;
  readonly #update: Session | null;
  readonly #masks: RandomStream;
  readonly #pairs: ReadonlyMap<string, MovingTensor>;
  readonly #moving: readonly StateTensor[];
  #steps = 0;

  static async open(step: TrainingStep, options: RunnerOptions): Promise<StepRunner> {
    const threads = options.threads ?? 0;
    const { provider = 'cpu' } = options;
    const moving = new Set(movingOf(step).map(({ output }) => output));
    const held = await heldFilters(step, provider);
    const open = async (model: OnnxModel) => {
      const keepOnDevice = model.graph.outputs.map(({ name }) => name).filter((name) => moving.has(name));
      return await openStep(model, { provider, threads, keepOnDevice }, held);
    };
    const session = await open(step.model);
    const update = step.update === null ? null : await open(step.update);
    return new StepRunner(await loadRuntime(), step, options, { session, update, held });
  }

  private constructor(
    runtime: Runtime,
    step: TrainingStep,
    options: RunnerOptions,
    { session, update, held }: OpenedGraphs,
  ) {
    this.#runtime = runtime;
    this.#step = step;
    this.#options = options;
    this.#session = session;
    this.#update = update;
    this.held = held;
    this.#masks = new RandomStream(options.seed, 'dropout');
    this.lossScale = options.lossScale ?? FIRST_LOSS_SCALE;
    this.#moving = movingOf(step);
    const stays = keepsOutputs(this.provider);
    // Gradients read weights and statistics until a step is over; what else moves is read by its own update alone.
    const inTurn = new Set([...step.parameters, ...step.statistics]);
    const tensorOf = (item: StateTensor): MovingTensor => {
      const writing = stays ? 'on device' : inTurn.has(item) ? 'in turn' : 'in place';
      return new MovingTensor(runtime, item, writing, held);
    };
    this.#pairs = new Map(this.#moving.map((item) => [item.input, tensorOf(item)]));
  }

  /**
   * One whole step in one graph. @returns the loss and what is watched.
   * @param rates learning rate of each group.
   */
  async step(data: Feeds, rates: Readonly<Record<string, number>>): Promise<StepResult> {
    if (this.#update !== null) throw new Error('this step accumulates: call accumulate and update');
    const moving = [...this.#step.parameters, ...this.#step.state, ...this.#step.statistics];
    const result = await this.#run(this.#session, { ...data, ...this.#scalars(rates), ...this.#drawn(data) }, moving);
    this.#steps++;
    return { ...result, skipped: this.#settle(result.watched) };
  }

  /** Adds the gradients of one micro-batch. @param share its part of the whole batch. */
  async accumulate(data: Feeds, share: number): Promise<StepResult> {
    const scale = this.#step.overflow === null ? share : share * this.lossScale.scale;
    const feeds = { ...data, [GRADIENT_SCALE]: this.#scalar(scale), ...this.#drawn(data) };
    const read = this.#step.parameters;
    const result = await this.#run(this.#session, feeds, [...this.#step.statistics, ...this.#step.accumulators], read);
    return { ...result, skipped: false };
  }

  /** Updates by what has been accumulated and empties the accumulators. @returns true where it overflowed. */
  async update(rates: Readonly<Record<string, number>>): Promise<boolean> {
    if (this.#update === null) throw new Error('this step does not accumulate');
    const { parameters, state, accumulators } = this.#step;
    const result = await this.#run(this.#update, this.#scalars(rates), [...parameters, ...state], accumulators);
    this.#steps++;
    for (const { input } of accumulators) this.#pairs.get(input)?.clear();
    return this.#settle(result.watched);
  }

  /** Updates by gradients that were summed elsewhere, with the update graph of the same step. */
  async updateBy(
    session: Session,
    sums: ReadonlyMap<string, MovingTensor>,
    rates: Readonly<Record<string, number>>,
  ): Promise<void> {
    const gradients = Object.fromEntries([...sums].map(([name, { current }]) => [name, current]));
    const { parameters, state } = this.#step;
    await this.#run(session, { ...this.#scalars(rates), ...gradients }, [...parameters, ...state]);
    this.#steps++;
  }

  get provider(): ProviderName {
    return this.#options.provider ?? 'cpu';
  }

  /** True while anything that moves lies in a device's memory: `toHost` before it is read. */
  get isOnDevice(): boolean {
    return [...this.#pairs.values()].some((tensor) => tensor.isOnDevice);
  }

  /** Brings everything that moves into the processor's memory, where it can be read; the next step takes it from there. */
  async toHost(): Promise<void> {
    const all = this.#moving.flatMap((item) => {
      const tensor = this.#pairs.get(item.input);
      return tensor === undefined ? [] : [{ item, tensor }];
    });
    await onDevice(this.provider, () => readBack(this.provider, all));
  }

  /** The weights as they are now, for a graph on the same device; copied only where they are held in another order. */
  parameters(): Feeds {
    return this.#parameters((tensor) => tensor.plain());
  }

  /** The weights as they are held, for a graph that was opened with `held`. */
  heldParameters(): Feeds {
    return this.#parameters((tensor) => tensor.current);
  }

  /** Names of the free inputs, so that nothing is drawn or built that the step does not read. */
  get inputNames(): readonly string[] {
    return this.#session.inputNames;
  }

  /** A copy of the weights and running statistics as they are now, by name. */
  weights(): Map<string, Float32Array> {
    const moving = [...this.#step.parameters, ...this.#step.statistics];
    return new Map(moving.map(({ input }) => [input, this.#pairs.get(input)?.values() ?? new Float32Array()]));
  }

  /** Everything that training has changed so far, to go on with later. */
  snapshot(): RunnerSnapshot {
    return { steps: this.#steps, tensors: new Map([...this.#pairs].map(([name, pair]) => [name, pair.values()])) };
  }

  /** Goes on where a snapshot of the same step was taken. */
  restore({ steps, tensors }: RunnerSnapshot): void {
    this.#steps = steps;
    for (const [name, values] of tensors) this.#pairs.get(name)?.set(values);
  }

  /** A copy of any tensor that moves, by the name of its input. */
  values(input: string): Float32Array {
    return this.#pairs.get(input)?.values() ?? new Float32Array();
  }

  async close(): Promise<void> {
    for (const tensor of this.#pairs.values()) tensor.dispose();
    await this.#session.release();
    await this.#update?.release();
  }

  async #run(
    session: Session,
    feeds: Feeds,
    moving: readonly StateTensor[],
    read: readonly StateTensor[] = [],
  ): Promise<{ readonly loss: number; readonly watched: Feeds }> {
    const inputs: Record<string, Tensor> = { ...feeds };
    const outputs: Record<string, Tensor | null> = {};
    const written = new Set(session.outputNames);
    for (const { input, output } of [...moving, ...read]) {
      const pair = this.#pairs.get(input);
      if (pair === undefined) continue;
      inputs[input] = pair.current;
      if (written.has(output)) outputs[output] = pair.next(session, output);
    }
    const known = Object.entries(inputs).filter(([name]) => session.inputNames.includes(name));
    const results = await onDevice(this.provider, () =>
      runStep(this.#runtime, session, Object.fromEntries(known), outputs),
    );
    for (const { input, output } of moving) {
      if (written.has(output)) this.#pairs.get(input)?.advance(results[output] as Tensor | undefined);
    }
    const watched = Object.fromEntries(
      Object.entries(results).filter(([name]) => this.#step.watch.includes(name) || name === this.#step.overflow),
    ) as Record<string, Tensor>;
    const loss = Number(results[this.#step.loss]?.data[0] ?? Number.NaN);
    if (written.has(this.#step.loss) && this.#step.overflow === null) refuseNoNumber(this.provider, loss);
    return { loss, watched };
  }

  #parameters(of: (tensor: MovingTensor) => Tensor): Feeds {
    const entries = this.#step.parameters.flatMap(({ input }) => {
      const tensor = this.#pairs.get(input);
      return tensor === undefined ? [] : [[input, of(tensor)] as const];
    });
    return Object.fromEntries(entries);
  }

  /** Moves the loss scale on; a skipped step does not count for Adam's bias corrections. */
  #settle(watched: Feeds): boolean {
    if (this.#step.overflow === null) return false;
    const skipped = watched[this.#step.overflow]?.data[0] === 1;
    if (skipped) this.#steps--;
    this.lossScale = nextLossScale(this.lossScale, skipped);
    return skipped;
  }

  /** What the next step is told. */
  #scalars(rates: Readonly<Record<string, number>>): Feeds {
    const [correction1, correction2] = corrections(this.#options.optimiser, this.#steps + 1);
    const named = Object.entries(rates).map(([group, rate]) => [rateInput(group), rate] as const);
    const all = { ...Object.fromEntries(named), correction1, correction2, [LOSS_SCALE]: this.lossScale.scale };
    return Object.fromEntries(Object.entries(all).map(([name, value]) => [name, this.#scalar(value)]));
  }

  #scalar(value: number): Tensor {
    return new this.#runtime.Tensor('float32', Float32Array.of(value), []);
  }

  /** Fresh dropout masks; their symbols take the sizes that the data gives to its first axis. */
  #drawn(data: Feeds): Feeds {
    const rows = Object.values(data)[0]?.dims[0] ?? 1;
    const drawn = this.#step.masks.map(({ input, dims, ratio }) => {
      const sizes = dims.map((dim) => (typeof dim === 'number' ? dim : rows));
      const mask = drawMask(this.#masks, elementCount(sizes), ratio);
      return [input, new this.#runtime.Tensor('float32', mask, sizes)] as const;
    });
    return Object.fromEntries(drawn);
  }
}

function movingOf(step: TrainingStep): readonly StateTensor[] {
  return [...step.parameters, ...step.state, ...step.statistics, ...step.accumulators];
}

export interface RunnerSnapshot {
  readonly steps: number;
  readonly tensors: ReadonlyMap<string, Float32Array>;
}

export interface StepResult {
  readonly loss: number;
  /** What the step was told to give out, by name. */
  readonly watched: Feeds;
  /** True where gradients overflowed and nothing was changed. */
  readonly skipped: boolean;
}

/** A network with other values for some of its constants: how a trained one becomes a plain ONNX file. */
export function withValues(model: OnnxModel, values: ReadonlyMap<string, Float32Array>): OnnxModel {
  const initializers = model.graph.initializers.map((tensor) => {
    const value = values.get(tensor.name);
    return value === undefined ? tensor : floatTensor(tensor.name, tensor.dims, value);
  });
  return { ...model, graph: { ...model.graph, initializers } };
}
