import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { asId, type SlideId } from '../../../src-shared/model/ids.ts';
import { DEFAULT_GRID, DEFAULT_TISSUE } from '../../../src-shared/model/run.ts';
import { layGrid } from '../grid/lay-grid.ts';
import { openSlideSource } from '../slide/open-slide.ts';
import { realSlide } from '../testing/real-data.ts';
import { computeTissueMask } from './tissue-mask.ts';

interface Reference {
  readonly mpp: number;
  /** Tile decisions of scikit-image's Otsu pipeline, a string of 0 and 1 a grid row. */
  readonly rows: readonly string[];
}
const golden: Readonly<Record<string, Reference>> = JSON.parse(
  readFileSync(new URL('./tissue-mask.golden.json', import.meta.url), 'utf8'),
);

describe.each(Object.entries(golden))('tissue on %s', (name, reference) => {
  const path = realSlide(name);

  it.skipIf(path === null)("agrees with scikit-image's Otsu pipeline on at least 95 % of tiles", async () => {
    const source = await openSlideSource(path ?? '');
    try {
      const mask = await computeTissueMask(source, reference.mpp, DEFAULT_TISSUE);
      const slideId = asId<SlideId>('0'.repeat(64));
      const laid = layGrid({
        slideId,
        info: source.info,
        mppUm: reference.mpp,
        spec: DEFAULT_GRID,
        tissue: DEFAULT_TISSUE,
        mask,
      });
      expect([laid.grid.columns, laid.grid.rows]).toEqual([reference.rows[0]?.length, reference.rows.length]);
      const kept = new Set(Array.from(laid.rows, (row, index) => `${row}:${laid.columns[index]}`));
      const cells = reference.rows.flatMap((line, row) => [...line].map((bit, column) => ({ bit, row, column })));
      const agreeing = cells.filter(({ bit, row, column }) => (bit === '1') === kept.has(`${row}:${column}`));
      expect(agreeing.length / cells.length).toBeGreaterThanOrEqual(0.95);
    } finally {
      await source.close();
    }
  });
});
