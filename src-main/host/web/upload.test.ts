import { basename } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { safeFileName } from './upload.ts';

describe('safeFileName', () => {
  it('keeps ordinary names, spaces and other scripts included', () => {
    for (const name of ['CMU-1.svs', 'Fall 12 (Kopie).ndpi', 'スライド.tif', 'no-suffix']) {
      expect(safeFileName(name)).toBe(name);
    }
  });

  it.each([
    ['../../etc/passwd', 'passwd'],
    ['C:\\slides\\a.svs', 'a.svs'],
    ['.hidden', 'hidden'],
    ['..', 'dropped-file'],
    ['', 'dropped-file'],
    ['con.svs', '_con.svs'],
    ['a\u0000b\n.svs', 'ab.svs'],
  ])('turns %j into %j', (given, safe) => {
    expect(safeFileName(given)).toBe(safe);
  });

  it('is one short path segment whatever comes in, and stable', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (given) => {
        const safe = safeFileName(given);
        expect(safe).not.toBe('');
        expect(basename(safe)).toBe(safe);
        expect(safe).not.toMatch(/^\.|[/\\]/);
        expect(safe.length).toBeLessThanOrEqual(151);
        expect(safeFileName(safe)).toBe(safe);
      }),
    );
  });
});
