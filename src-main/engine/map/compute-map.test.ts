import { describe, expect, it } from 'vitest';
import { asId, type GridId, type RunId, type SlideId } from '../../../src-shared/model/ids.ts';
import type { MapSpec } from '../../../src-shared/model/map.ts';
import { DEFAULT_GRID, DEFAULT_TISSUE } from '../../../src-shared/model/run.ts';
import type { LaidGrid } from '../grid/laid-grid.ts';
import { type ComputedMap, computeMap, MAX_CLUSTERS } from './compute-map.ts';

const runId = asId<RunId>('run');

/** A grid of the given size whose cell (0, 0) holds no tile. */
function grid(columns: number, rows: number): LaidGrid {
  const cells = Array.from({ length: columns * rows - 1 }, (_, i) => i + 1);
  return {
    grid: {
      id: asId<GridId>('g'),
      slideId: asId<SlideId>('s'),
      spec: DEFAULT_GRID,
      tissue: DEFAULT_TISSUE,
      columns,
      rows,
      tileLevel0Px: 224.4,
      strideLevel0Px: 224.4,
      tileCount: cells.length,
      droppedCount: 1,
    },
    columns: Uint32Array.from(cells, (i) => i % columns),
    rows: Uint32Array.from(cells, (i) => Math.floor(i / columns)),
  };
}

const laid = grid(4, 3);
/** Eleven tiles of three kinds. */
const features = Float32Array.from(
  [0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2].flatMap((kind, i) => [kind === 0 ? 5 : 0, kind === 1 ? 5 : 0.1 * (i % 2), kind]),
);

function map(spec: MapSpec): ComputedMap {
  return computeMap({ spec, features, featureDim: 3, laid, runId });
}

describe('computeMap', () => {
  it('PCA: colours in 0..1, none where there is no tile', () => {
    const { description, values } = map({ kind: 'pca' });
    expect(values).toHaveLength(4 * 3 * 3);
    expect([...values.subarray(0, 3)]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
    expect(values.subarray(3).every((v) => v >= 0 && v <= 1)).toBe(true);
    expect(description).toMatchObject({ runId, channels: 3, range: [0, 1], columns: 4, rows: 3, query: null });
    expect(description.varianceShare.reduce((a, b) => a + b)).toBeCloseTo(1, 9);
    expect(description.explanation).toContain('100 % of the variation');
  });

  it('clusters: finds the three kinds, the largest first', () => {
    const { description, values } = map({ kind: 'clusters', k: 3, seed: 1 });
    expect(description.categories.map((c) => c.tileCount)).toEqual([5, 4, 2]);
    expect([...values.subarray(1)]).toEqual([0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2]);
    expect(description.explanation).toContain('3 clusters');
  });

  it('clusters: says so when there are fewer than asked for', () => {
    const alike = new Float32Array(33).fill(1);
    const spec = { kind: 'clusters', k: 4, seed: 1 } as const;
    const { description } = computeMap({ spec, features: alike, featureDim: 3, laid, runId });
    expect(description.categories).toHaveLength(1);
    expect(description.explanation).toContain('Only 1 cluster could be told apart');
  });

  it('similarity: the query scores 1 and is described', () => {
    const { description, values } = map({ kind: 'similarity', tileIndex: 5 });
    expect(values[6]).toBe(1);
    expect(description.range[1]).toBe(1);
    expect(description.query).toMatchObject({ index: 5, column: 2, row: 1, x0Px: 449, y0Px: 224 });
  });

  it.each<MapSpec>([{ kind: 'pca' }, { kind: 'clusters', k: 4, seed: 0 }, { kind: 'similarity', tileIndex: 0 }])(
    'one tile, of any kind of map ($kind), gives numbers',
    (spec) => {
      for (const fill of [0, 0.7]) {
        const one = { spec, features: new Float32Array(5).fill(fill), featureDim: 5, laid: grid(2, 1), runId };
        const { values, description } = computeMap(one);
        expect(values.subarray(values.length / 2).every(Number.isFinite)).toBe(true);
        expect([...description.range, ...description.varianceShare].every(Number.isFinite)).toBe(true);
      }
    },
  );

  it('refuses what does not fit', () => {
    const invalid = expect.objectContaining({ code: 'InvalidRequest' });
    expect(() => map({ kind: 'clusters', k: 1, seed: 1 })).toThrow(invalid);
    expect(() => map({ kind: 'clusters', k: MAX_CLUSTERS + 1, seed: 1 })).toThrow(invalid);
    expect(() => map({ kind: 'similarity', tileIndex: 11 })).toThrow(invalid);
    expect(() => computeMap({ spec: { kind: 'pca' }, features, featureDim: 11, laid, runId })).toThrow(invalid);
  });

  it('reads features on shared memory', () => {
    const shared = new Float32Array(new SharedArrayBuffer(features.byteLength));
    shared.set(features);
    for (const spec of [{ kind: 'pca' }, { kind: 'clusters', k: 3, seed: 2 }] as const) {
      const result = computeMap({ spec, features: shared, featureDim: 3, laid, runId });
      expect(result).toEqual(map(spec));
      expect(result.values.buffer).toBeInstanceOf(ArrayBuffer);
    }
  });
});
