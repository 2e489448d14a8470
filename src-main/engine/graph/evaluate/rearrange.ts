import { elementCount, type GraphNode, intAttribute, intsAttribute } from '../model.ts';
import { intsGiven } from './attributes.ts';
import { broadcastDims, type NdArray, ndArray, reader, stridesOf, tabulate } from './nd-array.ts';

/** Operators that move elements about; null where the operator is none of them. */
export function rearranged(node: GraphNode, inputs: readonly (NdArray | undefined)[]): readonly NdArray[] | null {
  const [x, second, third] = inputs;
  if (x === undefined) return null;
  const rank = x.dims.length;
  const ints = (position: number): number[] => [...(inputs[position]?.data ?? [])];
  switch (node.op) {
    case 'Shape':
      return [ndArray([rank], x.dims)];
    case 'Size':
      return [ndArray([], [x.data.length])];
    case 'Reshape':
      return [{ dims: reshapedDims(x.dims, ints(1)), data: x.data }];
    case 'Flatten': {
      const axis = intAttribute(node, 'axis', 1);
      return [{ dims: [elementCount(x.dims.slice(0, axis)), elementCount(x.dims.slice(axis))], data: x.data }];
    }
    case 'Squeeze': {
      const axes = intsGiven(node, 'axes', second)?.map((axis) => (axis + rank) % rank);
      return [{ dims: x.dims.filter((size, i) => (axes ? !axes.includes(i) : size !== 1)), data: x.data }];
    }
    case 'Unsqueeze': {
      const given = intsGiven(node, 'axes', second) ?? [];
      const total = rank + given.length;
      const axes = given.map((axis) => (axis + total) % total);
      const rest = [...x.dims];
      return [
        { dims: Array.from({ length: total }, (_, i) => (axes.includes(i) ? 1 : (rest.shift() ?? 1))), data: x.data },
      ];
    }
    case 'Transpose': {
      const order = intsAttribute(node, 'perm') ?? x.dims.map((_, i) => rank - 1 - i);
      const value = reader(x);
      const source = order.map((_, axis) => order.indexOf(axis));
      return [
        tabulate(
          order.map((axis) => x.dims[axis] ?? 1),
          (index) => value(source.map((i) => index[i] ?? 0)),
        ),
      ];
    }
    case 'Expand':
      return [tabulate(broadcastDims([x.dims, ints(1)]), reader(x))];
    case 'ConstantOfShape': {
      const value = node.attributes.value?.kind === 'tensor' ? node.attributes.value.value : null;
      const fill = value === null ? 0 : new DataView(value.data.slice().buffer).getFloat32(0, true);
      return [tabulate([...x.data], () => fill)];
    }
    case 'Concat':
      return [
        concatenated(
          node,
          inputs.filter((part) => part !== undefined),
        ),
      ];
    case 'Split':
      return split(node, x, second);
    case 'Slice':
      return [sliced(x, ints(1), ints(2), third === undefined ? null : inputs[3], inputs[4])];
    case 'Pad': {
      const pads = ints(1);
      const fill = third?.data[0] ?? 0;
      const value = reader(x);
      const dims = x.dims.map((size, i) => size + (pads[i] ?? 0) + (pads[i + rank] ?? 0));
      return [
        tabulate(dims, (index) => {
          const from = index.map((at, axis) => at - (pads[axis] ?? 0));
          return from.every((at, axis) => at >= 0 && at < (x.dims[axis] ?? 0)) ? value(from) : fill;
        }),
      ];
    }
    case 'Gather': {
      const axis = (intAttribute(node, 'axis', 0) + rank) % rank;
      const places = second ?? ndArray([], [0]);
      const [value, place] = [reader(x), reader(places)];
      const count = places.dims.length;
      const dims = [...x.dims.slice(0, axis), ...places.dims, ...x.dims.slice(axis + 1)];
      return [
        tabulate(dims, (index) => {
          const at = place(index.slice(axis, axis + count));
          const wrapped = at < 0 ? at + (x.dims[axis] ?? 0) : at;
          return value([...index.slice(0, axis), wrapped, ...index.slice(axis + count)]);
        }),
      ];
    }
    case 'ScatterElements':
    case 'ScatterND':
      return [scattered(node, x, second, third)];
    case 'TopK':
      return topK(node, x, second?.data[0] ?? 0);
    default:
      return null;
  }
}

function reshapedDims(dims: readonly number[], shape: readonly number[]): number[] {
  const known = shape.map((size, i) => (size === 0 ? (dims[i] ?? 1) : size));
  const rest = elementCount(known.filter((size) => size !== -1));
  return known.map((size) => (size === -1 ? elementCount(dims) / rest : size));
}

function concatenated(node: GraphNode, parts: readonly NdArray[]): NdArray {
  const dims = parts[0]?.dims ?? [];
  const axis = (intAttribute(node, 'axis', 0) + dims.length) % dims.length;
  const total = parts.reduce((sum, part) => sum + (part.dims[axis] ?? 0), 0);
  const readers = parts.map(reader);
  return tabulate(dims.with(axis, total), (index) => {
    let at = index[axis] ?? 0;
    let part = 0;
    for (; at >= (parts[part]?.dims[axis] ?? Infinity); part++) at -= parts[part]?.dims[axis] ?? 0;
    return readers[part]?.(index.with(axis, at)) ?? Number.NaN;
  });
}

function split(node: GraphNode, x: NdArray, sizesGiven: NdArray | undefined): NdArray[] {
  const axis = (intAttribute(node, 'axis', 0) + x.dims.length) % x.dims.length;
  const equal = (x.dims[axis] ?? 0) / node.outputs.length;
  const sizes = intsGiven(node, 'split', sizesGiven) ?? node.outputs.map(() => equal);
  const value = reader(x);
  let start = 0;
  return sizes.map((size) => {
    const from = start;
    start += size;
    return tabulate(x.dims.with(axis, size), (index) => value(index.with(axis, (index[axis] ?? 0) + from)));
  });
}

function sliced(
  x: NdArray,
  starts: readonly number[],
  ends: readonly number[],
  axesGiven: NdArray | null | undefined,
  stepsGiven: NdArray | undefined,
): NdArray {
  const [from, step, dims] = [x.dims.map(() => 0), x.dims.map(() => 1), [...x.dims]];
  for (const [i, start] of starts.entries()) {
    const axis = ((axesGiven?.data[i] ?? i) + x.dims.length) % x.dims.length;
    const size = x.dims[axis] ?? 0;
    const stride = stepsGiven?.data[i] ?? 1;
    const within = (at: number, low: number, high: number) => Math.min(high, Math.max(low, at < 0 ? at + size : at));
    const first = stride > 0 ? within(start, 0, size) : within(start, 0, size - 1);
    const last = stride > 0 ? within(ends[i] ?? size, 0, size) : within(ends[i] ?? -1, -1, size - 1);
    from[axis] = first;
    step[axis] = stride;
    dims[axis] = Math.max(0, Math.ceil((last - first) / stride));
  }
  const value = reader(x);
  return tabulate(dims, (index) => value(index.map((at, axis) => (from[axis] ?? 0) + at * (step[axis] ?? 1))));
}

/** Values put, or with `reduction` added, at the places that the indices name. */
function scattered(node: GraphNode, x: NdArray, indices: NdArray | undefined, updates: NdArray | undefined): NdArray {
  if (indices === undefined || updates === undefined) throw new Error(`${node.op} needs indices and updates`);
  const adds = node.attributes.reduction?.kind === 'string' && node.attributes.reduction.value === 'add';
  const data = x.data.slice();
  const strides = stridesOf(x.dims);
  const put = (at: number, value: number): void => {
    data[at] = adds ? (data[at] ?? 0) + value : value;
  };
  /** Negative places count from the end. */
  const wrapped = (at: number, axis: number): number => (at < 0 ? at + (x.dims[axis] ?? 0) : at);
  const update = reader(updates);
  if (node.op === 'ScatterElements') {
    const axis = (intAttribute(node, 'axis', 0) + x.dims.length) % x.dims.length;
    const place = reader(indices);
    tabulate(indices.dims, (index) => {
      const target = index.with(axis, wrapped(place(index), axis));
      put(
        target.reduce((sum, at, i) => sum + at * (strides[i] ?? 1), 0),
        update(index),
      );
      return 0;
    });
    return { dims: x.dims, data };
  }
  const depth = indices.dims.at(-1) ?? 0;
  const outer = indices.dims.length - 1;
  const place = reader(indices);
  tabulate(updates.dims, (index) => {
    const head = Array.from({ length: depth }, (_, i) => place([...index.slice(0, outer), i]));
    const target = [...head.map(wrapped), ...index.slice(outer)];
    put(
      target.reduce((sum, at, i) => sum + at * (strides[i] ?? 1), 0),
      update(index),
    );
    return 0;
  });
  return { dims: x.dims, data };
}

/** Along the first axis of a vector, as the heads use it. */
function topK(node: GraphNode, x: NdArray, count: number): NdArray[] {
  if (x.dims.length !== 1) throw new Error('TopK is known for vectors only');
  const sign = intAttribute(node, 'largest', 1) === 1 ? -1 : 1;
  const order = [...x.data.keys()].sort((a, b) => sign * ((x.data[a] ?? 0) - (x.data[b] ?? 0)) || a - b);
  const chosen = order.slice(0, count);
  return [
    ndArray(
      [count],
      chosen.map((at) => x.data[at] ?? 0),
    ),
    ndArray([count], chosen),
  ];
}
