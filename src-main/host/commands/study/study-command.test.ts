import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../exit-codes.ts';
import { runCommand as run } from '../../testing/run-command.ts';

let folder: string;
let labels: string;
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hyaline-study-command-'));
  labels = file('labels.csv', 'case_id,slide_id,label,site\np1,a.svs,x,n\np2,b.svs,y,n\n');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('hyaline study', () => {
  it('documents what it does and what is out of its scope', async () => {
    const { out } = await run('study', '--help');
    for (const name of ['new', 'train', 'predict', 'report', 'external', 'list', 'show']) {
      expect(out).toMatch(new RegExp(`^ {2}${name} `, 'm'));
      expect((await run('study', name, '--help')).out).toContain('--json');
    }
    expect(out).toMatch(/Regression .* survival analysis are out of its scope/);
  });

  it('answers --json with one JSON document', async () => {
    const { out } = await run('study', 'list', '--store', join(folder, 'store'), '--json');
    expect(JSON.parse(out)).toEqual([]);
  });

  it.each([
    ['shares that are none', ['--shares', '0.8,0.2']],
    ['an unknown grouping', ['--group-by', 'hospital']],
    ['an unknown pooling', ['--pooling', 'transmil']],
    ['a point that is none', ['--point', 'sensitivity=2']],
    ['too few folds', ['--folds', '2']],
  ])('answers %s with the exit code of wrong use', async (_name, options) => {
    const { code, err } = await run('study', 'new', labels, '--backbone', 'net', ...options);
    expect(code).toBe(EXIT.usage);
    expect(err).toMatch(/^error: /);
  });

  it('names what is wrong with a table before a store is opened', async () => {
    const store = ['--store', join(folder, 'store')];
    const refused = async (...argv: string[]) => {
      const { code, err } = await run('study', ...argv, ...store);
      expect(code).toBe(EXIT.failed);
      return err;
    };
    expect(await refused('new', labels)).toContain('Give --backbone NAME, or --features FOLDER');
    expect(await refused('new', labels, '--backbone', 'net', '--label', 'stage')).toContain('It has: label, site.');
    const blank = file('blank.csv', 'slide_id,label\na.svs,x\nb.svs,\n');
    expect(await refused('new', blank, '--backbone', 'net')).toContain('have no label: b.svs');
    expect(await refused('new', labels, '--features', folder)).toContain('holds no feature files');
    copyFileSync(new URL('../../../engine/interop/testing/clam.golden.h5', import.meta.url), join(folder, 'c.h5'));
    expect(await refused('new', labels, '--features', folder)).toContain('feature files are missing: a.h5, b.h5');
    expect(await refused('train', join(folder, 'nowhere.csv'), '--backbone', 'net')).toContain('There is no table');
  });
});
