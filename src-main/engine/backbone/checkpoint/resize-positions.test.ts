import { expect, it } from 'vitest';
import golden from './resize-positions.golden.json' with { type: 'json' };
import { resizePositions } from './resize-positions.ts';

it.each(golden)('resizes positions from $from to $to a side as PyTorch does', ({ from, to, values }) => {
  const grid = Float32Array.from({ length: from * from * 3 }, (_, i) => Math.sin(i * 0.37));
  const table = Float32Array.of(7, 8, 9, ...grid);
  const resized = resizePositions(table, 3, from, to);
  expect(Array.from(resized.subarray(0, 3))).toEqual([7, 8, 9]);
  const worst = Math.max(...values.map((value, i) => Math.abs(value - (resized[3 + i] ?? Number.NaN))));
  expect(worst).toBeLessThan(1e-6);
});
