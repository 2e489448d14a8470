import { describe, expect, it } from 'vitest';
import type { MapDescription } from '../../../src-shared/model/map.ts';
import { barLabels, describeValue, scaleNumber } from './map-text.ts';
import { parseMpp } from './mpp.ts';
import { csvMaps, reportMaps, sameMap } from './report-maps.ts';

type Described = Pick<MapDescription, 'channels' | 'categories' | 'range'>;
const describeAs = (map: Described, value: readonly number[]) => describeValue(map as MapDescription, value);

describe('values of a map in words', () => {
  it('names the cluster, numbers the likeness, lists the components', () => {
    const categories = [{ label: 'Cluster 1', rgb: [0, 0, 0], tileCount: 3 }] as const;
    expect(describeAs({ channels: 1, categories, range: [0, 1] }, [0])).toBe('Cluster 1');
    expect(describeAs({ channels: 1, categories: [], range: [0, 1] }, [0.4567])).toBe('0.46');
    expect(describeAs({ channels: 3, categories: [], range: [0, 1] }, [0.1, 0.25, 1])).toBe(
      'PC1 0.10 · PC2 0.25 · PC3 1.00',
    );
  });

  it('gives a narrow range the decimals it needs to tell tiles apart', () => {
    expect(scaleNumber(0.99812, [0.995, 1])).toBe('0.99812');
    expect(scaleNumber(-0.5, [-1, 1])).toBe('−0.50');
  });

  it('labels both ends of a colour bar, and nothing that would touch them', () => {
    const labels = barLabels([0.9948, 1]);
    expect(labels[0]).toMatchObject({ share: 0, text: '0.99480' });
    expect(labels.at(-1)).toMatchObject({ share: 1, text: '1.00000' });
    for (const { share } of labels.slice(1, -1)) expect(Math.min(share, 1 - share)).toBeGreaterThan(0.35);
  });
});

describe('a pixel size as typed', () => {
  it.each([
    ['0.25', 0.25],
    [' 0,5 ', 0.5],
    ['.499', 0.499],
  ])('reads %j', (text, value) => expect(parseMpp(text)).toBe(value));

  it.each(['', '0', '-1', '0.25 µm', '40x', '1e9', '250'])('refuses %j', (text) => expect(parseMpp(text)).toBeNull());
});

describe('maps of a report', () => {
  it('offers similarity only when a tile was chosen', () => {
    expect(reportMaps({ kind: 'pca' }).map(({ spec }) => spec.kind)).toEqual(['pca', 'clusters']);
    expect(csvMaps({ kind: 'similarity', tileIndex: 4 }).map(({ kind }) => kind)).toEqual([
      'pca',
      'clusters',
      'similarity',
    ]);
  });

  it('keeps the number of clusters on screen', () => {
    const shown = { kind: 'clusters', k: 9, seed: 1 } as const;
    expect(reportMaps(shown).some(({ spec }) => sameMap(spec, shown))).toBe(true);
  });
});
