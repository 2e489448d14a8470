import { seededRandom } from '../../../src-shared/numeric/random.ts';
import { rowsOf, type Samples } from '../study/linear-model.ts';
import { type DualModel, type DualOptions, shuffle } from './gram-svm.ts';

/** A separating plane for each of the outputs (classes, or 1 for two classes); the last weight is the offset's. */
export interface RowModel extends DualModel {
  readonly planes: readonly Float64Array[];
}

/**
 * `fitGramSvm` on the features themselves, step for step: several times faster where images outnumber features.
 * Source: Hsieh et al. 2008, algorithm 1 (L2-loss), as liblinear keeps the plane up to date.
 * @param rows of the training images, each with a constant 1 behind its features (see `withOffset`).
 */
export function fitRowSvm(rows: Samples, labels: ArrayLike<number>, classes: number, options: DualOptions): RowModel {
  const targets = classes === 2 ? [1] : Array.from({ length: classes }, (_, k) => k);
  let converged = true;
  const planes: Float64Array[] = [];
  const weights = targets.map((target, k) => {
    const signs = Int8Array.from({ length: labels.length }, (_, i) => (labels[i] === target ? 1 : -1));
    const fit = fitBinary(rows, signs, options, options.start?.weights[k]);
    converged &&= fit.converged;
    planes.push(fit.plane);
    return fit.weights;
  });
  return { weights, planes, converged };
}

/** The rows asked for, with the constant feature of the offset. */
export function withOffset(samples: Samples, rows: readonly number[]): Samples {
  const { data, count, dim } = rowsOf(samples, rows);
  const out = new Float64Array(count * (dim + 1)).fill(1);
  for (let i = 0; i < count; i++) out.set(data.subarray(i * dim, (i + 1) * dim), i * (dim + 1));
  return { data: out, count, dim: dim + 1 };
}

function fitBinary(
  { data, count, dim }: Samples,
  signs: Int8Array,
  { c, seed, tolerance, maxPasses }: DualOptions,
  start: Float64Array | undefined,
): { weights: Float64Array; plane: Float64Array; converged: boolean } {
  const random = seededRandom(seed);
  const ridge = 1 / (2 * c);
  const weights = start === undefined ? new Float64Array(count) : Float64Array.from(start);
  const plane = new Float64Array(dim);
  const squares = Float64Array.from({ length: count }, (_, i) => dot(data, i, data.subarray(i * dim, (i + 1) * dim)));
  weights.forEach((weight, i) => {
    if (weight !== 0) addTo(plane, data, i, weight);
  });
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let pass = 0; pass < maxPasses; pass++) {
    let highest = Number.NEGATIVE_INFINITY;
    let lowest = Number.POSITIVE_INFINITY;
    shuffle(order, random);
    for (const i of order) {
      const sign = signs[i] as number;
      const old = sign * (weights[i] as number);
      const gradient = sign * dot(data, i, plane) - 1 + ridge * old;
      const projected = old === 0 ? Math.min(gradient, 0) : gradient;
      highest = Math.max(highest, projected);
      lowest = Math.min(lowest, projected);
      if (projected === 0) continue;
      const next = Math.max(0, old - gradient / ((squares[i] as number) + ridge));
      if (next === old) continue;
      weights[i] = sign * next;
      addTo(plane, data, i, sign * (next - old));
    }
    if (highest - lowest <= tolerance) return { weights, plane, converged: true };
  }
  return { weights, plane, converged: false };
}

function dot(data: Samples['data'], row: number, plane: Samples['data']): number {
  let sum = 0;
  for (let j = 0, at = row * plane.length; j < plane.length; j++, at++) {
    sum += (data[at] as number) * (plane[j] as number);
  }
  return sum;
}

function addTo(plane: Float64Array, data: Samples['data'], row: number, step: number): void {
  for (let j = 0, at = row * plane.length; j < plane.length; j++, at++) {
    plane[j] = (plane[j] as number) + step * (data[at] as number);
  }
}

/** Decision values of rows made by `withOffset`, rows x outputs, row-major. */
export function rowDecisions({ planes }: RowModel, { data, count }: Samples): Float64Array {
  const outputs = planes.length;
  const out = new Float64Array(count * outputs);
  planes.forEach((plane, k) => {
    for (let i = 0; i < count; i++) out[i * outputs + k] = dot(data, i, plane);
  });
  return out;
}
