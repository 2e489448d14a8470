import { elementCount } from '../model.ts';

/** A tensor in double precision, row-major. Integers and truth values (0, 1) are held as numbers too. */
export interface NdArray {
  readonly dims: readonly number[];
  readonly data: Float64Array;
}

export function ndArray(dims: readonly number[], data: ArrayLike<number>): NdArray {
  const values = data instanceof Float64Array ? data : Float64Array.from(data);
  if (values.length !== elementCount(dims)) throw new Error(`${values.length} numbers do not fill [${dims}]`);
  return { dims, data: values };
}

/** Elements between neighbours along each axis. */
export function stridesOf(dims: readonly number[]): number[] {
  const strides = dims.map(() => 1);
  for (let axis = dims.length - 2; axis >= 0; axis--) strides[axis] = (strides[axis + 1] ?? 1) * (dims[axis + 1] ?? 1);
  return strides;
}

/** Fills a tensor from the index of each of its elements. */
export function tabulate(dims: readonly number[], value: (index: readonly number[]) => number): NdArray {
  const data = new Float64Array(elementCount(dims));
  const index = dims.map(() => 0);
  for (let i = 0; i < data.length; i++) {
    data[i] = value(index);
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      index[axis] = (index[axis] ?? 0) + 1;
      if ((index[axis] ?? 0) < (dims[axis] ?? 1)) break;
      index[axis] = 0;
    }
  }
  return { dims, data };
}

/** The element at an index, by broadcasting: leading axes of the index are dropped, axes of size 1 stay at 0. */
export function reader(array: NdArray): (index: readonly number[]) => number {
  const { dims, data } = array;
  const strides = stridesOf(dims).map((stride, axis) => (dims[axis] === 1 ? 0 : stride));
  return (index) => {
    const lead = index.length - dims.length;
    let at = 0;
    for (let axis = 0; axis < strides.length; axis++) at += (index[axis + lead] ?? 0) * (strides[axis] ?? 0);
    return data[at] ?? Number.NaN;
  };
}

/** Numpy's broadcast shape of several. */
export function broadcastDims(shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((dims) => dims.length));
  return Array.from({ length: rank }, (_, i) => {
    const sizes = shapes.map((dims) => dims[i - rank + dims.length] ?? 1);
    const size = sizes.find((candidate) => candidate !== 1) ?? 1;
    if (sizes.some((candidate) => candidate !== 1 && candidate !== size)) {
      throw new Error(`the shapes ${shapes.map((dims) => `[${dims}]`).join(', ')} do not broadcast`);
    }
    return size;
  });
}
