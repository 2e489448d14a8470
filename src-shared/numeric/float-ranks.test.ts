import { describe, expect, it } from 'vitest';
import { percentiles, risingOrder } from './float-ranks.ts';
import { seededRandom } from './random.ts';
import { midranks } from './statistics.ts';

describe('ranks of float32 values', () => {
  it('are those of a sort by comparison, whatever signs, sizes and ties there are', () => {
    const random = seededRandom(5);
    for (const count of [0, 1, 2, 17, 3000]) {
      for (const spread of [1, 1e-38, 1e38, 4]) {
        const values = Float32Array.from({ length: count }, () => {
          const value = (random() - 0.5) * spread;
          // The last spread gives few different values, zero with either sign among them.
          return spread === 4 ? Math.round(value) : value;
        });
        const expected = Array.from(values.keys()).sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0));
        expect([...risingOrder(values)]).toEqual(expected);
        const ranks = midranks(values);
        const shares = percentiles(values);
        for (const [i, rank] of ranks.entries()) {
          expect(shares[i]).toBeCloseTo((100 * (rank - 1)) / Math.max(1, count - 1), 4);
        }
      }
    }
  });
});
