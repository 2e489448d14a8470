import { readFileSync } from 'node:fs';
import { asId, type SlideId } from '../../../../src-shared/model/ids.ts';
import { DEFAULT_GRID, DEFAULT_TISSUE } from '../../../../src-shared/model/run.ts';
import { layGrid } from '../../grid/lay-grid.ts';
import { openSlideSource } from '../../slide/open-slide.ts';
import { computeTissueMask } from '../tissue-mask.ts';

interface Reference {
  readonly mpp: number;
  /** Tile decisions of scikit-image's Otsu pipeline, a string of 0 and 1 a grid row. */
  readonly rows: readonly string[];
}

const golden: Readonly<Record<string, Reference>> = JSON.parse(
  readFileSync(new URL('../tissue-mask.golden.json', import.meta.url), 'utf8'),
);

/** The real slides, by their path under the test data, for which scikit-image's decisions are kept. */
export const REFERENCE_SLIDES: readonly string[] = Object.keys(golden);

export interface OtsuAgreement {
  /** Columns and rows of our grid and of the reference's. */
  readonly ours: readonly [number, number];
  readonly reference: readonly [number, number];
  /** Tiles, and the share of them that both keep or both leave out. */
  readonly tiles: number;
  readonly share: number;
}

/** Compares which 112 µm tiles of a real slide are tissue to us and to scikit-image (see tissue-mask.golden.py). */
export async function otsuAgreement(name: string, path: string): Promise<OtsuAgreement> {
  const { mpp, rows } = golden[name] ?? { mpp: 0.5, rows: [] };
  const source = await openSlideSource(path);
  try {
    const mask = await computeTissueMask(source, mpp, DEFAULT_TISSUE);
    const slideId = asId<SlideId>('0'.repeat(64));
    const laid = layGrid({ slideId, info: source.info, mppUm: mpp, spec: DEFAULT_GRID, tissue: DEFAULT_TISSUE, mask });
    const kept = new Set(Array.from(laid.rows, (row, index) => `${row}:${laid.columns[index]}`));
    const cells = rows.flatMap((line, row) =>
      [...line].map((bit, column) => (bit === '1') === kept.has(`${row}:${column}`)),
    );
    return {
      ours: [laid.grid.columns, laid.grid.rows],
      reference: [rows[0]?.length ?? 0, rows.length],
      tiles: cells.length,
      share: cells.filter(Boolean).length / cells.length,
    };
  } finally {
    await source.close();
  }
}
