import { elementCount } from '../graph/model.ts';
import { initialValues, type StateTensor } from '../graph/optimise/training-step.ts';
import type { Runtime } from '../infer/runtime.ts';

export type Tensor = InstanceType<Runtime['Tensor']>;
export type Feeds = Readonly<Record<string, Tensor>>;

/**
 * A tensor that every step takes and gives back changed. Where the provider gives out memory of the processor it lies in
 * two shared buffers, one read while the other is written; where outputs stay on the device, each step's output is the
 * next one's input and nothing is copied.
 */
export class MovingTensor {
  current: Tensor;
  readonly #runtime: Runtime;
  readonly #dims: readonly number[];
  #spare: Tensor | null;

  /** @param staysOnDevice true where the session that writes it leaves it in the device's memory. */
  constructor(runtime: Runtime, item: StateTensor, staysOnDevice = false) {
    this.#runtime = runtime;
    this.#dims = item.dims;
    this.current = this.#empty();
    this.#spare = staysOnDevice ? null : this.#empty();
    if (item.initial !== null) this.set(initialValues(item));
  }

  /** Where the next value is to be written; null = where the device likes. */
  get next(): Tensor | null {
    return this.#spare;
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
