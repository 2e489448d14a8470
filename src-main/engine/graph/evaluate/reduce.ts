import { type GraphNode, intAttribute } from '../model.ts';
import { floatAttributeOf, intsGiven } from './attributes.ts';
import { type NdArray, ndArray, reader, tabulate } from './nd-array.ts';

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const REDUCTIONS: Readonly<Record<string, (values: readonly number[]) => number>> = {
  ReduceSum: sum,
  ReduceMean: (values) => sum(values) / values.length,
  ReduceMax: (values) => Math.max(...values),
  ReduceMin: (values) => Math.min(...values),
  ReduceProd: (values) => values.reduce((product, value) => product * value, 1),
  ReduceL1: (values) => sum(values.map(Math.abs)),
  ReduceL2: (values) => Math.sqrt(sum(values.map((value) => value * value))),
  ReduceSumSquare: (values) => sum(values.map((value) => value * value)),
  ReduceLogSum: (values) => Math.log(sum(values)),
  ReduceLogSumExp: (values) => Math.log(sum(values.map(Math.exp))),
};

/** Reductions, softmax and normalisations; null where the operator is none of them. */
export function reduction(node: GraphNode, inputs: readonly (NdArray | undefined)[]): NdArray | null {
  const [x, second, third] = inputs;
  if (x === undefined) return null;
  const rank = x.dims.length;
  const fold = REDUCTIONS[node.op];
  if (fold !== undefined) {
    const axes = intsGiven(node, 'axes', second)?.map((axis) => (axis + rank) % rank);
    const keep = intAttribute(node, 'keepdims', 1) === 1;
    const over = axes === undefined || axes.length === 0 ? x.dims.map((_, i) => i) : axes;
    const reduced = reduceOver(x, over, fold);
    return keep
      ? reduced
      : ndArray(
          x.dims.filter((_, i) => !over.includes(i)),
          reduced.data,
        );
  }
  if (node.op === 'Softmax' || node.op === 'LogSoftmax') {
    const axis = (intAttribute(node, 'axis', -1) + rank) % rank;
    const largest = reader(reduceOver(x, [axis], (values) => Math.max(...values)));
    const value = reader(x);
    const shifted = tabulate(x.dims, (index) => value(index) - largest(index));
    const total = reader(reduceOver(shifted, [axis], (values) => sum(values.map(Math.exp))));
    const of = reader(shifted);
    const log = node.op === 'LogSoftmax';
    return tabulate(x.dims, (i) => (log ? of(i) - Math.log(total(i)) : Math.exp(of(i)) / total(i)));
  }
  const channel = (values: NdArray | undefined, missing: number) => (index: readonly number[]) =>
    values?.data[index[1] ?? 0] ?? missing;
  if (node.op === 'BatchNormalization') {
    const [mean, variance] = [channel(inputs[3], 0), channel(inputs[4], 1)];
    return normalised(node, x, mean, variance, channel(second, 1), channel(third, 0));
  }
  const spatial = x.dims.map((_, i) => i).slice(2);
  const axis = (intAttribute(node, 'axis', -1) + rank) % rank;
  const over = node.op === 'InstanceNormalization' ? spatial : x.dims.map((_, i) => i).slice(axis);
  if (node.op !== 'InstanceNormalization' && node.op !== 'LayerNormalization') return null;
  const mean = reader(reduceOver(x, over, REDUCTIONS.ReduceMean ?? sum));
  const variance = reader(reduceOver(x, over, varianceOf));
  const instance = node.op === 'InstanceNormalization';
  const scale = instance || second === undefined ? channel(second, 1) : reader(second);
  const shift = instance || third === undefined ? channel(third, 0) : reader(third);
  return normalised(node, x, mean, variance, scale, shift);
}

type At = (index: readonly number[]) => number;

function normalised(node: GraphNode, x: NdArray, mean: At, variance: At, scale: At, shift: At): NdArray {
  const epsilon = floatAttributeOf(node, 'epsilon', 1e-5);
  const value = reader(x);
  return tabulate(x.dims, (i) => ((value(i) - mean(i)) / Math.sqrt(variance(i) + epsilon)) * scale(i) + shift(i));
}

function varianceOf(values: readonly number[]): number {
  const mean = sum(values) / values.length;
  return sum(values.map((value) => (value - mean) ** 2)) / values.length;
}

/** Folds over axes, which stay with size 1. */
function reduceOver(x: NdArray, axes: readonly number[], fold: (values: readonly number[]) => number): NdArray {
  const dims = x.dims.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const inner = x.dims.map((size, axis) => (axes.includes(axis) ? size : 1));
  const value = reader(x);
  return tabulate(dims, (outer) => {
    const values = tabulate(inner, (index) => value(index.map((i, axis) => i + (outer[axis] ?? 0))));
    return fold([...values.data]);
  });
}
