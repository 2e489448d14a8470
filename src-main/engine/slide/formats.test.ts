import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { listFormats, SLIDE_EXTENSIONS } from './formats.ts';

const READERS = { hyaline: 'Hyaline', sharp: 'sharp', openslide: 'OpenSlide' } as const;

describe('the list of formats', () => {
  it('says what the README says: the same formats, readers and synthetic-only marks', () => {
    const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
    const section = readme.slice(readme.indexOf('## Slide formats'));
    const rows = section
      .slice(0, section.indexOf('\n## ', 3))
      .split('\n')
      .flatMap((line) => {
        const [, name, reader] = /^\| (.*?) \| (.*) \|$/.exec(line) ?? [];
        return name === undefined || reader === undefined || name === 'format' ? [] : [{ name, reader }];
      });
    const { formats } = listFormats();
    expect(rows.map(({ name }) => name)).toEqual(formats.map(({ name }) => name));
    for (const [index, { name, reader, syntheticOnly }] of formats.entries()) {
      const cell = rows[index]?.reader ?? '';
      expect(cell.startsWith(READERS[reader]), `${name} is read by ${reader}`).toBe(true);
      const marked = /synthetic|tests write only/.test(cell);
      expect(marked, `${name}: synthetic only`).toBe(syntheticOnly !== '');
    }
  });

  it('says how to get OpenSlide exactly where it is missing', () => {
    const { formats, openSlide, advice } = listFormats();
    const throughIt = formats.filter(({ reader }) => reader === 'openslide');
    expect(throughIt.length).toBeGreaterThan(0);
    for (const { available } of throughIt) expect(available).toBe(openSlide !== null);
    expect(advice === '').toBe(openSlide !== null);
    if (openSlide !== null) expect(openSlide.version).toMatch(/^[34]\.\d/);
  });

  it('knows every ending by its dot', () => {
    for (const extension of SLIDE_EXTENSIONS) expect(extension).toMatch(/^\.[a-z]+$/);
    expect([...SLIDE_EXTENSIONS]).toEqual(expect.arrayContaining(['.svs', '.ndpi', '.dcm', '.qptiff', '.png']));
  });
});
