import { describe, expect, it } from 'vitest';
import { asId, type ComparisonId, type ExportId, type FileGrant, type RunId, type SlideId } from '../model/ids.ts';
import type { MapSpec } from '../model/map.ts';
import { DEFAULT_TISSUE } from '../model/run.ts';
import { parseRoute, routes } from './routes.ts';

const slideId = asId<SlideId>('ab'.repeat(32));
const runId = asId<RunId>('run-1');

describe('routes', () => {
  it('takes apart what it builds', () => {
    expect(parseRoute(routes.tile(slideId, 3, 17, 250))).toEqual({
      route: 'tile',
      slideId,
      level: 3,
      column: 17,
      row: 250,
    });
    expect(parseRoute(routes.correctedTile(slideId, 0, 1, 2))).toMatchObject({ route: 'correctedTile', column: 1 });
    expect(parseRoute(routes.colourLut(slideId))).toEqual({ route: 'colourLut', slideId });
    expect(parseRoute(routes.thumbnail(slideId, 320))).toEqual({ route: 'thumbnail', slideId, maxPx: 320 });
    expect(parseRoute(routes.foundThumbnail(asId<FileGrant>('0b7e-1'), 320))).toEqual({
      route: 'foundThumbnail',
      grant: '0b7e-1',
      maxPx: 320,
    });
    expect(parseRoute(routes.associated(slideId, 'a/b ü'))).toEqual({ route: 'associated', slideId, name: 'a/b ü' });
    expect(parseRoute(routes.region(slideId, 1.5, -2, 224, 96))).toEqual({
      route: 'region',
      slideId,
      x0Px: 1.5,
      y0Px: -2,
      sizeLevel0Px: 224,
      outPx: 96,
    });
    expect(parseRoute(routes.tissue(slideId, DEFAULT_TISSUE))).toEqual({
      route: 'tissue',
      slideId,
      params: DEFAULT_TISSUE,
    });
    expect(parseRoute(routes.download(asId<ExportId>('e1')))).toEqual({ route: 'download', exportId: 'e1' });
    const sha256 = 'ab'.repeat(32);
    const patch = { route: 'patch', comparisonId: 'c1', sha256, maxPx: 64 };
    expect(parseRoute(routes.patch(asId<ComparisonId>('c1'), sha256, 64))).toEqual(patch);
    const [a, b] = ['r1', 'r2'].map((id, i) => ({
      runId: asId<RunId>(id),
      spec: { kind: 'similarity', tileIndex: i } as const,
    }));
    if (a && b) expect(parseRoute(routes.mapDifference(a, b))).toEqual({ route: 'mapDifference', a, b });
  });

  it.each<MapSpec>([{ kind: 'pca' }, { kind: 'clusters', k: 6, seed: 1 }, { kind: 'similarity', tileIndex: 41 }])(
    'carries the map specification %o',
    (spec) => {
      expect(parseRoute(routes.mapValues(runId, spec))).toEqual({ route: 'mapValues', runId, spec });
    },
  );

  it.each([
    '/',
    '/tile',
    `/tile/${slideId}/0`,
    `/tile/${slideId}/0/-1_2`,
    `/tile/${slideId}/0/1_2/extra`,
    `/tile/../etc/0/1_2`,
    `/thumbnail/${slideId}?max=99999`,
    `/region/${slideId}?x=NaN&y=0&size=10&out=10`,
    `/region/${slideId}?x=0&y=0&size=10`,
    `/tissue/${slideId}?params={"maskMpp":"8"}`,
    `/tissue/${slideId}?params=%7B`,
    `/map/run-1?spec={"kind":"clusters","k":1,"seed":1}`,
    '/download/a%2Fb',
    '/patch/c1?image=../../etc/passwd&max=64',
    '/map-difference/r1?a=%7B%22kind%22%3A%22pca%22%7D&run=../r2&b=%7B%22kind%22%3A%22pca%22%7D',
  ])('refuses %s', (path) => {
    expect(parseRoute(path)).toBeNull();
  });
});
