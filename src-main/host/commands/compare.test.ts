import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Comparison } from '../../../src-shared/model/comparison.ts';
import { grey, paintImages, pink, writeLittleNetwork } from '../../engine/compare/testing.ts';
import { main } from '../cli.ts';
import { EXIT } from '../exit-codes.ts';
import { splitCut } from './compare-names.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hyaline-compare-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const written = { out: '', err: '' };
  const catchOn = (stream: 'out' | 'err') => (text: unknown) => {
    written[stream] += String(text);
    return true;
  };
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation(catchOn('out'));
  const stderr = vi.spyOn(process.stderr, 'write').mockImplementation(catchOn('err'));
  try {
    return { code: await main(['compare', ...argv]), ...written };
  } finally {
    stdout.mockRestore();
    stderr.mockRestore();
  }
}

describe('hyaline compare', () => {
  it.each([
    ['random-resnet18', 'random-resnet18', null],
    ['random-resnet18@layer1+layer3', 'random-resnet18', 'layer1+layer3'],
    ['a@b/net.onnx', 'a@b/net.onnx', null],
    ['a@b/net.onnx@all', 'a@b/net.onnx', 'all'],
  ])('reads %s', (text, name, cuts) => {
    expect(splitCut(text)).toEqual({ name, cuts });
  });

  it.each([
    ['a probe there is not', ['--probe', 'forest']],
    ['a seed twice', ['--seeds', '1,1']],
    ['an empty part', ['--seeds', '1,,2']],
    ['a broken expression', ['--group-pattern', '(']],
  ])('answers %s with the exit code of wrong use', async (_name, wrong) => {
    const { code, err } = await run('--tasks', 'a', '--backbones', 'b', '--out', folder, ...wrong);
    expect(code).toBe(EXIT.usage);
    expect(err).toMatch(/^error: /);
  });

  it('keeps the options of the truncation study apart from its own, and asks for them where they are missing', async () => {
    const labels = join(folder, 'nowhere.csv');
    const { code, err } = await run('truncation', labels, '--backbones', 'b', '--tasks', 'a', '--out', folder);
    expect(code).not.toBe(EXIT.usage);
    expect(err).toContain('nowhere.csv');
    const without = await run('--tasks', 'a', '--out', folder);
    expect(without.code).toBe(EXIT.usage);
    expect(without.err).toContain("required option '--backbones' not specified");
  });

  it('goes from model file and image folders to tables, naming what it left out', async () => {
    await paintImages(join(folder, 'tasks', 'colour', 'pink'), 12, pink, 3);
    await paintImages(join(folder, 'tasks', 'colour', 'plain'), 12, grey, 4);
    await paintImages(join(folder, 'tasks', 'alone', 'plain'), 3, grey, 5);
    const { modelPath } = await writeLittleNetwork(folder, 'little', 'histology', 1);
    const places = ['--tasks', join(folder, 'tasks'), '--out', join(folder, 'out'), '--store', join(folder, 'store')];
    const options = ['--twins', '2', '--threads', '1', '--json'];
    const { code, out, err } = await run(...places, '--backbones', `${modelPath}@all,random-resnet18@stem`, ...options);
    expect(err).toContain('Left out: alone. It has one class only (plain).');
    expect(code).toBe(EXIT.ok);
    const { comparison, files } = JSON.parse(out) as { comparison: Comparison; files: string[] };
    expect(comparison.tasks[0]).toMatchObject({ task: 'colour', metric: 'AUC', images: 24 });
    expect(comparison.cka?.layers.at(-1)).toBe('random-resnet18@stem');
    expect(comparison.tasks[0]?.pairs).toHaveLength(1);
    expect(comparison.tasks[0]?.backbones[0]?.random).toHaveLength(2);
    expect(comparison.tasks[0]?.confounds[0]?.alarm).toBe(true);
    expect(files).toEqual(expect.arrayContaining(['comparison.md', 'scores.csv', 'cka.svg', 'cka.png']));
  }, 60_000);
});
