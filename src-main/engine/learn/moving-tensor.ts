import { type HeldFilters, heldDims } from '../graph/blocked/held-filters.ts';
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
  /** Shape in the order everybody else knows. */
  readonly #plainDims: readonly number[];
  /** Channels of a block of a held filter; null for everything else. */
  readonly #block: number | null;
  #spare: Tensor | null;

  /** @param held which filters are held in blocks (`heldFilters`). */
  constructor(runtime: Runtime, item: StateTensor, writing: Writing, held: HeldFilters | null = null) {
    this.#runtime = runtime;
    this.#plainDims = item.dims;
    this.#block = held?.names.has(item.input) === true ? held.block : null;
    this.#dims = this.#block === null ? item.dims : heldDims(item.dims, this.#block);
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
    const data = this.current.data as Float32Array;
    const [, , taps = 1, block = 1] = this.#dims;
    return this.#block === null ? Float32Array.from(data) : swapped(data, taps, block);
  }

  /** The tensor in its own shape: a copy only where it is held in another one. */
  plain(): Tensor {
    if (this.#block === null) return this.current;
    return new this.#runtime.Tensor('float32', this.values(), this.#plainDims);
  }

  set(values: Float32Array): void {
    if (this.isOnDevice) this.#replace(this.#empty());
    const [, , taps = 1, block = 1] = this.#dims;
    (this.current.data as Float32Array).set(this.#block === null ? values : swapped(values, block, taps));
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

/** Matrices of rows x columns one after the other, each turned round. */
function swapped(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let start = 0; start < values.length; start += rows * columns) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        result[start + column * rows + row] = values[start + row * columns + column] ?? 0;
      }
    }
  }
  return result;
}
