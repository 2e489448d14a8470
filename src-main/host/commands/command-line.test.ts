import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { EXIT } from '../exit-codes.ts';
import { storeFolder } from '../store-folder.ts';
import { formatBytes, formatDuration } from '../terminal.ts';
import { runCommand as run } from '../testing/run-command.ts';
import { outputFolders } from './analyze.ts';
import { compareCommand } from './compare.ts';
import { featuresCommand } from './features.ts';
import { studyCommand } from './study/study-command.ts';
import { tasksCommand } from './tasks.ts';

const REGION = ['region', 'a.svs', '--x', '0', '--y', '0', '--width', '8', '--height', '8', '--out', 'a.png'];

describe('the command line', () => {
  it('documents its exit codes and every command', async () => {
    const { code, out } = await run('--help');
    expect(code).toBe(EXIT.ok);
    for (const [name, value] of Object.entries(EXIT)) {
      expect(out, name).toMatch(new RegExp(`^ {2}${value} `, 'm'));
    }
    for (const name of ['info', 'region', 'deidentify', 'analyze', 'serve', 'demo', 'synthesize', 'doctor']) {
      expect(out).toMatch(new RegExp(`^ {2}${name} `, 'm'));
      const help = await run(name, '--help');
      expect(help.code).toBe(EXIT.ok);
      expect(help.out).toContain('--json');
    }
    const backbone = 'list show import random export features get catalogue devices remove';
    for (const name of backbone.split(' ')) {
      expect((await run('backbone', name, '--help')).out).toContain('--json');
    }
  });

  it.each([
    ['an unknown command', ['paint']],
    ['an unknown option', ['info', 'a.svs', '--fast']],
    ['a missing argument', ['info']],
    ['an unknown origin', ['backbone', 'import', 'a.onnx', '--origin', 'moon']],
    ['a level and a pixel size', [...REGION, '--level', '1', '--mpp', '2']],
    ['a size of no pixels', [...REGION.slice(0, -2), '--out', 'a.png', '--height', '0']],
    ['a seed that is none', ['backbone', 'random', 'a', '--seed', '-1']],
    ['a missing option', ['analyze', 'a.svs', '--out', 'x']],
    ['a port out of range', ['serve', '--port', '70000']],
    ['a number that is none', ['analyze', 'a.svs', '--backbone', 'b', '--out', 'x', '--mpp', 'fine']],
  ])('answers %s with the exit code of wrong use', async (_name, argv) => {
    const { code, err } = await run(...argv);
    expect(code).toBe(EXIT.usage);
    expect(err).toMatch(/^error: /);
  });

  it('says what is wrong with a file in one sentence, and as JSON where asked', async () => {
    const plain = await run('info', import.meta.filename);
    expect(plain).toMatchObject({ code: EXIT.failed, out: '' });
    expect(plain.err).toContain('not a slide');
    const json = await run('info', import.meta.filename, '--json');
    expect(JSON.parse(json.out)).toMatchObject({ error: { code: 'NotASlide' } });
  });

  it.each([
    ['compare truncation', compareCommand, ['labels.csv', '--backbones', 'b', '--out', 'x']],
    ['tasks make', tasksCommand, ['--images', 'a', '--kind', 'mask', '--out', 'x']],
    ['study list', studyCommand, []],
    ['features export', featuresCommand, ['--format', 'csv', '--out', 'x']],
  ])('hands --json on to %s', async (name, make, options) => {
    const [outer = '', inner = ''] = name.split(' ');
    const group = make(() => {});
    const command = group.commands.find((each) => each.name() === inner)?.action(() => {});
    const program = new Command().enablePositionalOptions().addCommand(group);
    await program.parseAsync([outer, inner, ...options, '--json'], { from: 'user' });
    expect(command?.opts()).toMatchObject({ json: true });
  });
});

describe('storeFolder', () => {
  it('takes the option, then the environment, then the data folder', () => {
    expect(storeFolder('/a', { HYALINE_STORE: '/b' })).toBe('/a');
    expect(storeFolder(undefined, { HYALINE_STORE: '/b' })).toBe('/b');
    expect(storeFolder(undefined, {})).toMatch(/Hyaline/);
  });

  it('takes the database file for its folder', () => {
    expect(storeFolder('/a/hyaline.db', {})).toBe('/a');
  });
});

describe('outputFolders', () => {
  it('writes one slide into the folder itself and several into folders that never meet', () => {
    expect(outputFolders(['/x/a.svs'], '/out')).toEqual(['/out']);
    expect(outputFolders(['/x/a.svs', '/y/a.svs', '/y/A.tif', '/z/b.svs'], '/out')).toEqual([
      '/out/a',
      '/out/a (2)',
      '/out/A (3)',
      '/out/b',
    ]);
  });
});

describe('what people read', () => {
  it('gives times and sizes in fitting units', () => {
    expect([0, 59, 60, 3599, 7500].map(formatDuration)).toEqual([
      '0 s',
      '59 s',
      '1 min 0 s',
      '59 min 59 s',
      '2 h 5 min',
    ]);
    expect([0, 999, 1000, 1_938_955, 5e12].map(formatBytes)).toEqual(['0 B', '999 B', '1.0 kB', '1.9 MB', '5.0 TB']);
  });
});
