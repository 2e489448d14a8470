/** Bits of the digits that are sorted by: three passes cover 32. */
const DIGIT = 11;
const BUCKETS = 1 << DIGIT;

/**
 * Numbers of the values in rising order; equal ones by number. A radix sort over the bits (three passes), because ranking
 * tens of thousands of tiles by comparisons takes longer than computing them. -0 counts as 0.
 * @param values not NaN.
 */
export function risingOrder(values: Float32Array): Uint32Array {
  const count = values.length;
  const keys = sortableKeys(values);
  let order = Uint32Array.from({ length: count }, (_, i) => i);
  let spare = new Uint32Array(count);
  const starts = new Uint32Array(BUCKETS);
  for (let shift = 0; shift < 32; shift += DIGIT) {
    starts.fill(0);
    for (let i = 0; i < count; i++) {
      const digit = ((keys[i] as number) >>> shift) & (BUCKETS - 1);
      starts[digit] = (starts[digit] as number) + 1;
    }
    let before = 0;
    for (let digit = 0; digit < BUCKETS; digit++) {
      const size = starts[digit] as number;
      starts[digit] = before;
      before += size;
    }
    for (let i = 0; i < count; i++) {
      const item = order[i] as number;
      const digit = ((keys[item] as number) >>> shift) & (BUCKETS - 1);
      const place = starts[digit] as number;
      spare[place] = item;
      starts[digit] = place + 1;
    }
    [order, spare] = [spare, order];
  }
  return order;
}

/** Share of the other values that are lower, ties sharing their mean rank, in 0..100; 0 for a single value. NaN not allowed. */
export function percentiles(values: Float32Array): Float32Array {
  const order = risingOrder(values);
  const result = new Float32Array(values.length);
  const most = Math.max(1, values.length - 1);
  for (let start = 0; start < order.length; ) {
    const value = values[order[start] as number];
    let end = start + 1;
    while (end < order.length && values[order[end] as number] === value) end++;
    const share = (100 * ((start + end - 1) / 2)) / most;
    for (let i = start; i < end; i++) result[order[i] as number] = share;
    start = end;
  }
  return result;
}

/** Unsigned integers in the order of the floats: negative ones with all bits turned, positive ones with the sign's. */
function sortableKeys(values: Float32Array): Uint32Array {
  // Adding 0 makes -0 the same bits as 0.
  const plain = values.map((value) => value + 0);
  const keys = new Uint32Array(plain.buffer);
  for (let i = 0; i < keys.length; i++) {
    const bits = keys[i] as number;
    keys[i] = bits >>> 31 === 1 ? ~bits : bits | 0x80000000;
  }
  return keys;
}
