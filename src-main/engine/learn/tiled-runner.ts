import { elementCount } from '../graph/model.ts';
import { GRADIENT_SCALE } from '../graph/optimise/step-options.ts';
import type { BorderValue, TiledStep } from '../graph/optimise/tiled-step.ts';
import type { StateTensor } from '../graph/optimise/training-step.ts';
import type { ProviderName } from '../infer/protocol.ts';
import { keepsOutputs, loadRuntime, type Runtime, type Session } from '../infer/runtime.ts';
import { onDevice, refuseNoNumber } from './device-failure.ts';
import { type Feeds, MovingTensor, type Tensor } from './moving-tensor.ts';
import { openStep } from './open-step.ts';
import { runStep } from './run-in-place.ts';
import type { StepRunner } from './step-runner.ts';

/** Sessions of the parts of a tiled step. */
interface Sessions {
  readonly front: Session;
  readonly back: Session;
  readonly frontBackward: Session;
  readonly update: Session;
}

/**
 * Trains on bags that are too large to hold all activations at once: the tiles go through in parts, the gradient is
 * that of the whole bag. Weights and optimiser state are those of the runner it belongs to. Memory: the border values
 * (embedding and score of each tile) with their gradients, and the activations of one part.
 */
export class TiledRunner {
  readonly #runtime: Runtime;
  readonly #step: TiledStep;
  readonly #sessions: Sessions;
  readonly #sums: ReadonlyMap<string, MovingTensor>;
  readonly #tilesAtOnce: number;
  readonly #provider: ProviderName;

  /** @param runner whose weights and state it reads and writes where they lie. */
  static async open(
    step: TiledStep,
    tilesAtOnce: number,
    runner: Pick<StepRunner, 'provider' | 'held'>,
    threads = 0,
  ): Promise<TiledRunner> {
    const { provider, held } = runner;
    const sums = new Set([...step.accumulators.back, ...step.accumulators.front].map(({ output }) => output));
    const open = async (name: keyof Sessions) => {
      const outputs = step[name].graph.outputs.map((output) => output.name);
      const keepOnDevice = outputs.filter((output) => name === 'update' || sums.has(output));
      return await openStep(step[name], { provider, threads, keepOnDevice }, held);
    };
    const sessions = {
      front: await open('front'),
      back: await open('back'),
      frontBackward: await open('frontBackward'),
      update: await open('update'),
    };
    return new TiledRunner(await loadRuntime(), step, sessions, tilesAtOnce, runner);
  }

  private constructor(
    runtime: Runtime,
    step: TiledStep,
    sessions: Sessions,
    tilesAtOnce: number,
    { provider, held }: Pick<StepRunner, 'provider' | 'held'>,
  ) {
    this.#provider = provider;
    this.#runtime = runtime;
    this.#step = step;
    this.#sessions = sessions;
    this.#tilesAtOnce = tilesAtOnce;
    const writing = keepsOutputs(provider) ? 'on device' : 'in place';
    const all = new Map([...step.accumulators.back, ...step.accumulators.front].map((item) => [item.input, item]));
    this.#sums = new Map([...all].map(([name, item]) => [name, new MovingTensor(runtime, item, writing, held)]));
  }

  /** One update on one bag; returns its loss. @param data the free inputs of the whole step. */
  async step(runner: StepRunner, data: Feeds, rates: Readonly<Record<string, number>>): Promise<number> {
    const tiles = data[this.#step.rowInputs[0] ?? '']?.dims[0] ?? 0;
    const feeds = { ...data, ...runner.heldParameters() };
    const values = this.#buffers(tiles);
    const gradients = this.#buffers(tiles);
    for (const part of this.#parts(tiles)) {
      const border = this.#rows(values, part, ({ name }) => name);
      await this.#run(this.#sessions.front, { ...feeds, ...this.#cut(data, part) }, border, []);
    }
    const loss = await this.#back(feeds, tiles, values, gradients);
    for (const part of this.#parts(tiles)) {
      const flow = this.#rows(gradients, part, ({ gradient }) => gradient);
      const { front } = this.#step.accumulators;
      await this.#run(this.#sessions.frontBackward, { ...feeds, ...this.#cut(data, part), ...flow }, {}, front);
    }
    await runner.updateBy(this.#sessions.update, this.#sums, rates);
    for (const sum of this.#sums.values()) sum.clear();
    return loss;
  }

  async close(): Promise<void> {
    for (const sum of this.#sums.values()) sum.dispose();
    for (const session of Object.values(this.#sessions)) await session.release();
  }

  async #back(feeds: Feeds, tiles: number, values: Buffers, gradients: Buffers): Promise<number> {
    const all = { first: 0, count: tiles };
    const inputs = { ...feeds, ...this.#rows(values, all, ({ name }) => name) };
    const scale = new this.#runtime.Tensor('float32', Float32Array.of(1), []);
    const flow = this.#rows(gradients, all, ({ gradient }) => gradient);
    const { back } = this.#step.accumulators;
    const results = await this.#run(this.#sessions.back, { ...inputs, [GRADIENT_SCALE]: scale }, flow, back);
    const loss = Number(results[this.#step.loss]?.data[0]);
    refuseNoNumber(this.#provider, loss);
    return loss;
  }

  /** Runs one part; its accumulators take the sums, everything else that is wanted is written in place. */
  async #run(session: Session, feeds: Feeds, written: Feeds, sums: readonly StateTensor[]): Promise<Feeds> {
    const inputs: Record<string, Tensor> = { ...feeds };
    const outputs: Record<string, Tensor | null> = { ...written };
    for (const { input, output } of sums) {
      const sum = this.#sums.get(input);
      if (sum === undefined) continue;
      inputs[input] = sum.current;
      outputs[output] = sum.next(session, output);
    }
    const known = Object.entries(inputs).filter(([name]) => session.inputNames.includes(name));
    const results = await onDevice(this.#provider, () =>
      runStep(this.#runtime, session, Object.fromEntries(known), outputs),
    );
    for (const { input, output } of sums) this.#sums.get(input)?.advance(results[output] as Tensor | undefined);
    return results;
  }

  *#parts(tiles: number): Generator<Part> {
    for (let first = 0; first < tiles; first += this.#tilesAtOnce) {
      yield { first, count: Math.min(this.#tilesAtOnce, tiles - first) };
    }
  }

  #buffers(tiles: number): Buffers {
    return new Map(this.#step.border.map((value) => [value.name, new Float32Array(tiles * widthOf(value))]));
  }

  /** Views of some rows of the border's buffers, named as the graph names them. */
  #rows(buffers: Buffers, { first, count }: Part, nameOf: (value: BorderValue) => string): Feeds {
    const entries = this.#step.border.map((value) => {
      const width = widthOf(value);
      const rows = buffers.get(value.name)?.subarray(first * width, (first + count) * width) ?? new Float32Array();
      const dims = [count, ...value.dims.slice(1).map(Number)];
      return [nameOf(value), new this.#runtime.Tensor('float32', rows, dims)] as const;
    });
    return Object.fromEntries(entries);
  }

  /** Some rows of the bag's own inputs. */
  #cut(data: Feeds, { first, count }: Part): Feeds {
    const entries = this.#step.rowInputs.flatMap((name) => {
      const whole = data[name];
      if (whole === undefined) return [];
      const [, ...rest] = whole.dims;
      const width = elementCount(rest);
      const rows = (whole.data as Float32Array).subarray(first * width, (first + count) * width);
      return [[name, new this.#runtime.Tensor('float32', rows, [count, ...rest])] as const];
    });
    return Object.fromEntries(entries);
  }
}

interface Part {
  readonly first: number;
  readonly count: number;
}

type Buffers = ReadonlyMap<string, Float32Array>;

const widthOf = ({ dims }: BorderValue): number => elementCount(dims.slice(1).map(Number));
