import { elementCount } from '../graph/model.ts';
import { initialValues, type StateTensor } from '../graph/optimise/training-step.ts';
import type { Runtime } from '../infer/runtime.ts';

export type Tensor = InstanceType<Runtime['Tensor']>;
export type Feeds = Readonly<Record<string, Tensor>>;

/** A tensor in two shared buffers: one is read while the other is written. */
export class MovingTensor {
  current: Tensor;
  next: Tensor;

  constructor(runtime: Runtime, item: StateTensor) {
    const empty = (): Float32Array =>
      new Float32Array(new SharedArrayBuffer(elementCount(item.dims) * Float32Array.BYTES_PER_ELEMENT));
    const [first, second] = [empty(), empty()];
    if (item.initial !== null) first.set(initialValues(item));
    this.current = new runtime.Tensor('float32', first, item.dims);
    this.next = new runtime.Tensor('float32', second, item.dims);
  }

  swap(): void {
    [this.current, this.next] = [this.next, this.current];
  }

  values(): Float32Array {
    return Float32Array.from(this.current.data as Float32Array);
  }

  set(values: Float32Array): void {
    (this.current.data as Float32Array).set(values);
  }

  clear(): void {
    (this.current.data as Float32Array).fill(0);
  }
}
