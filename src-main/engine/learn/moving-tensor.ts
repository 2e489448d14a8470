import { elementCount } from '../graph/model.ts';
import { initialValues, type StateTensor } from '../graph/optimise/training-step.ts';
import type { Runtime, Session } from '../infer/runtime.ts';

export type Tensor = InstanceType<Runtime['Tensor']>;
export type Feeds = Readonly<Record<string, Tensor>>;

/**
 * Where a step writes what it changed: over what it read, where each number is read before it is written and by nobody
 * else (state of an optimiser, sums); in a second buffer in turn with the first; or wherever the device likes.
 */
export type Writing = 'in place' | 'in turn' | 'on device';

/**
 * A tensor that every step takes and gives back changed. Where the provider gives out memory of the processor it lies in
 * shared buffers of ours; where outputs stay on the device, each step's output is the next one's input. Nothing is copied.
 */
export class MovingTensor {
  current: Tensor;
  readonly #runtime: Runtime;
  readonly #dims: readonly number[];
  #spare: Tensor | null;

  constructor(runtime: Runtime, item: StateTensor, writing: Writing) {
    this.#runtime = runtime;
    this.#dims = item.dims;
    this.current = this.#empty();
    this.#spare = writing === 'on device' ? null : writing === 'in place' ? this.current : this.#empty();
    if (item.initial !== null) this.set(initialValues(item));
  }

  /**
   * Where a session is to write the next value, in the shape that the session gives it (as many numbers, in the same
   * order); null = where the device likes.
   */
  next(session: Session, output: string): Tensor | null {
    const spare = this.#spare;
    const declared = session.outputMetadata.find(({ name }) => name === output);
    if (spare === null || declared?.isTensor !== true) return spare;
    const dims = declared.shape.map(Number);
    if (dims.join() === this.#dims.join()) return spare;
    return new this.#runtime.Tensor('float32', spare.data as Float32Array, dims);
  }

  /** What was written becomes the current value. @param written the output of the step. */
  advance(written: Tensor | undefined): void {
    if (this.#spare !== null) [this.current, this.#spare] = [this.#spare, this.current];
    else if (written !== undefined) this.#replace(written);
  }

  get isOnDevice(): boolean {
    return this.current.location !== 'cpu';
  }

  /** A copy; of a tensor on the device only after it was brought back (`StepRunner.toHost`). */
  values(): Float32Array {
    return Float32Array.from(this.current.data as Float32Array);
  }

  set(values: Float32Array): void {
    if (this.isOnDevice) this.#replace(this.#empty());
    (this.current.data as Float32Array).set(values);
  }

  clear(): void {
    if (this.isOnDevice) this.#replace(this.#empty());
    else (this.current.data as Float32Array).fill(0);
  }

  /** Lets go of memory on the device. */
  dispose(): void {
    if (this.isOnDevice) this.current.dispose();
  }

  #replace(tensor: Tensor): void {
    this.dispose();
    this.current = tensor;
  }

  #empty(): Tensor {
    const bytes = elementCount(this.#dims) * Float32Array.BYTES_PER_ELEMENT;
    return new this.#runtime.Tensor('float32', new Float32Array(new SharedArrayBuffer(bytes)), this.#dims);
  }
}
