import { describe, expect, it } from 'vitest';
import { sortedRows } from './sorted-rows.ts';

const rows = [
  { name: 'slide 10', bytes: 5 },
  { name: 'Slide 9', bytes: 200 },
  { name: 'slide 2', bytes: 5 },
];

describe('rows of a table', () => {
  it('are sorted as a reader counts: 2, 9, 10', () => {
    const names = sortedRows(rows, ({ name }) => name, false).map(({ name }) => name);
    expect(names).toEqual(['slide 2', 'Slide 9', 'slide 10']);
  });

  it('are sorted by size, ties as they came', () => {
    expect(sortedRows(rows, ({ bytes }) => bytes, true).map(({ name }) => name)).toEqual([
      'Slide 9',
      'slide 10',
      'slide 2',
    ]);
  });

  it('stay as they are without a column', () => {
    expect(sortedRows(rows, undefined, true)).toBe(rows);
  });
});
