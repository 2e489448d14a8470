import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Study } from '../../../../src-shared/model/study.ts';
import { writeClamFeatures } from '../../../engine/interop/hdf5.ts';
import { EXIT } from '../../exit-codes.ts';
import { runCommand as run } from '../../testing/run-command.ts';

let folder: string;
let files: string;
let labels: string;
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hyaline-study-command-'));
  files = mkdtempSync(join(tmpdir(), 'hyaline-study-features-'));
  labels = file('labels.csv', 'case_id,slide_id,label,site\np1,a.svs,x,n\np2,b.svs,y,n\n');
});
afterAll(() => {
  for (const place of [folder, files]) rmSync(place, { recursive: true, force: true });
});

describe('hyaline study', () => {
  it('documents what it does and what is out of its scope', async () => {
    const { out } = await run('study', '--help');
    for (const name of ['new', 'labels', 'train', 'predict', 'report', 'external', 'list', 'show']) {
      expect(out).toMatch(new RegExp(`^ {2}${name} `, 'm'));
      expect((await run('study', name, '--help')).out).toContain('--json');
    }
    expect(out).toMatch(/Regression .* survival analysis are out of its scope/);
  });

  it('answers --json with one JSON document', async () => {
    const { out } = await run('study', 'list', '--store', join(folder, 'store'), '--json');
    expect(JSON.parse(out)).toEqual([]);
  });

  it('shows labels and changes them; of a trained study as a new version, of slides it has', async () => {
    const store = ['--store', join(folder, 'labelled')];
    const rows: string[] = [];
    const bags = join(files, 'bags');
    mkdirSync(join(bags, 'features_uni'), { recursive: true });
    for (let i = 0; i < 9; i++) {
      const corners = { x0Px: Float64Array.of(0, 256), y0Px: Float64Array.of(0, 0) };
      const features = Float32Array.from({ length: 8 }, (_, at) => at + 9 * (i % 2) + i / 10);
      await writeClamFeatures(join(bags, 'features_uni', `s${i}.h5`), {
        ...{ features, corners },
        tileCount: 2,
        dim: 4,
      });
      rows.push(`p${i},s${i},${i % 2 === 0 ? 'even' : 'odd'}`);
    }
    const table = file('nine.csv', `case_id,slide_id,label\n${rows.join('\n')}\n`);
    const training = '--name Nine --folds 3 --seeds 1 --epochs 1'.split(' ');
    const made = await run('study', 'new', table, '--features', bags, ...training, ...store);
    expect(made.code, made.err).toBe(EXIT.ok);
    expect((await run('study', 'labels', 'Nine', ...store)).out).toMatch(/^s1 +odd \(p1\)$/m);
    const labelsOf = async (study: string): Promise<Record<string, string>> => {
      const { out } = await run('study', 'labels', study, '--json', ...store);
      return Object.fromEntries(
        (JSON.parse(out) as { slideName: string; label: string }[]).map((row) => [row.slideName, row.label]),
      );
    };
    // Not trained: the study itself is changed. An empty label takes a slide out.
    const more = file('more.csv', 'slide_id,label\ns2,odd\ns3,even\n');
    expect((await run('study', 'labels', 'Nine', '--csv', more, '--set', 's8=', ...store)).out).toContain('changed');
    const now = await labelsOf('Nine');
    expect(now).toMatchObject({ s2: 'odd', s3: 'even', s4: 'even' });
    expect(now).not.toHaveProperty('s8');
    const unknown = await run('study', 'labels', 'Nine', '--set', 'nobody=odd', ...store);
    expect(unknown.code).toBe(EXIT.failed);
    expect(unknown.err).toContain('not in the study: nobody');
    expect((await run('study', 'labels', 'Nine', '--set', 'nothing', ...store)).code).toBe(EXIT.usage);
    // Trained: its results stay with the labels they come from.
    expect((await run('study', 'train', 'Nine', ...store)).code).toBe(EXIT.ok);
    const { out } = await run('study', 'labels', 'Nine', '--set', 's2=even', '--json', ...store);
    const { study } = JSON.parse(out) as { study: Study };
    expect(study).toMatchObject({ outcome: null, plan: { name: 'Nine, version 2', basedOn: { name: 'Nine' } } });
    expect(study.plan.rows.map(({ slideName, label }) => `${slideName} ${label}`)).toEqual(
      expect.arrayContaining(['s2 even', 's3 even', 's4 even']),
    );
    expect(await labelsOf('Nine')).toMatchObject({ s2: 'odd' });
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
