const words = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' });

/** The rows in the order of a value: words as a reader orders them, numbers by size; ties keep the order given. */
export function sortedRows<Row>(
  rows: readonly Row[],
  by: ((row: Row) => string | number) | undefined,
  descending: boolean,
): readonly Row[] {
  if (by === undefined) return rows;
  const sign = descending ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [left, right] = [by(a), by(b)];
    if (typeof left === 'number' && typeof right === 'number') return sign * (left - right);
    return sign * words.compare(String(left), String(right));
  });
}
