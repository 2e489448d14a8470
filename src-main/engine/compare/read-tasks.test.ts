import { appendFile, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { realDataFolder } from '../testing/real-data.ts';
import { jpegQuality } from './jpeg-quality.ts';
import type { TaskOptions } from './patch-task.ts';
import { readTasks } from './read-tasks.ts';
import { taskParts } from './task-parts.ts';
import { grey, paintImages } from './testing.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hyaline-tasks-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const paint =
  (...at: string[]) =>
  (count: number) =>
    paintImages(join(folder, ...at), count, grey, seedOf(at.join()));

const seedOf = (text: string) => [...text].reduce((sum, letter) => 31 * sum + letter.charCodeAt(0), 7) % 1e6;

async function only(options: TaskOptions = {}, path = folder) {
  const { tasks, skipped } = await readTasks([path], options);
  return { task: tasks[0], skipped };
}

/** A table over six images per class; `row` gives the group and split of image n of a class. */
async function table(row: (label: string, n: number) => string, header = 'path,label,group,split'): Promise<string> {
  const lines = [header];
  for (const [seed, label] of ['a', 'b'].entries()) {
    const paths = await paintImages(join(folder, 'images', label), 6, grey, seed + 1);
    paths.forEach((path, n) => {
      lines.push(`images/${label}/${basename(path)},${label},${row(label, n)}`);
    });
  }
  const path = join(folder, 'study.csv');
  await writeFile(path, lines.join('\n'));
  return path;
}

describe('reading patch tasks', () => {
  it('takes a folder per class, images being independent', async () => {
    await paint('b')(5);
    await paint('a')(6);
    const { task } = await only();
    expect(task).toMatchObject({ classes: ['a', 'b'], grouped: false, heldOut: false });
    expect(task?.images).toHaveLength(11);
    expect(task?.notes.join()).toContain('optimistic');
  });

  it('takes a table, and keeps its groups on one side of every split', async () => {
    const path = await table((_label, n) => `p${Math.floor(n / 2)},`);
    const { task } = await only({}, path);
    expect(task).toMatchObject({ name: 'study', grouped: true, heldOut: false });
    expect(task?.notes.join()).toContain('3 of 3 groups hold more than one class (p0, p1, p2)');
    if (task === undefined) return;
    for (const { train, test } of taskParts(task, [1, 2])) {
      const groups = (rows: readonly number[]) => new Set(rows.map((i) => task.images[i]?.group));
      expect([...groups(test)].filter((group) => groups(train).has(group))).toEqual([]);
      expect(train.length + test.length).toBe(12);
    }
  });

  it('uses the split of the table, unless a group is on both of its sides', async () => {
    const clean = await only({}, await table((label, n) => `${label}${n},${n < 3 ? 'train' : 'test'}`));
    expect(clean.task?.heldOut).toBe(true);
    const leaking = await only({}, await table((_label, n) => `p${n % 3},${n < 3 ? 'train' : 'test'}`));
    expect(leaking.task?.heldOut).toBe(false);
    expect(leaking.task?.notes.join()).toContain('p0, p1, p2 on both sides: it is refused');
  });

  it('refuses groups too few to keep apart, unless told that they are no patients', async () => {
    const path = await table((_label, n) => `${n % 2}00x,`);
    await expect(readTasks([path], {})).rejects.toThrow(/Class a has 2 groups; 3 are needed.*--ungrouped/);
    const { task } = await only({ ungrouped: ['study'] }, path);
    expect(task?.grouped).toBe(false);
  });

  it('finds groups in file names where asked', async () => {
    await paint('a')(6);
    await paint('b')(6);
    const { task } = await only({ groupPattern: /^00(\d)/ });
    expect(task?.grouped).toBe(true);
    expect(new Set(task?.images.map(({ group }) => group)).size).toBe(6);
  });

  it('names what it leaves out: unreadable, unlabelled, repeated and contradicting images', async () => {
    const path = await table(() => ',');
    await writeFile(join(folder, 'images/a/000.png'), 'no image');
    await copyFile(join(folder, 'images/a/001.png'), join(folder, 'images/twice.png'));
    await copyFile(join(folder, 'images/b/001.png'), join(folder, 'images/both.png'));
    await appendFile(path, '\nimages/twice.png,a,,\nimages/both.png,a,,\nimages/b/002.png,,,\nimages/gone.png,b,,');
    const { task } = await only({}, path);
    const notes = task?.notes.join(' ') ?? '';
    expect(notes).toContain('1 image has no label and was left out.');
    expect(notes).toContain('2 images cannot be read and were left out: 000.png, gone.png');
    expect(notes).toContain('1 image occurs under two labels and was left out.');
    expect(notes).toContain('1 repeated image was taken once');
  });

  it.each([
    ['one class', [['a', 8]], /one class only \(a\)/],
    [
      'three images',
      [
        ['a', 8],
        ['b', 3],
      ],
      /Class b has 3 images; 5 are needed/,
    ],
  ] as const)('refuses %s', async (_name, classes, message) => {
    for (const [label, count] of classes) await paint(label)(count);
    await expect(readTasks([folder], {})).rejects.toThrow(message);
  });

  it('skips what is no task beside one that is, and refuses two of a name', async () => {
    await paint('good', 'a')(5);
    await paint('good', 'b')(5);
    await mkdir(join(folder, 'empty'));
    await mkdir(join(folder, 'odd'));
    await writeFile(join(folder, 'odd', 'index.tsv'), 'file\tnuclei\nx.png\t3\n');
    const { tasks, skipped } = await readTasks([folder], {});
    expect(tasks.map(({ name }) => name)).toEqual(['good']);
    expect(skipped.map(({ name, reason }) => `${name}: ${reason}`)).toEqual([
      'empty: It holds neither class folders nor an index.tsv.',
      'odd: Its table has no column for the label.',
    ]);
    await expect(readTasks([folder, folder], {})).rejects.toThrow('Two tasks are called good');
    await expect(readTasks([join(folder, 'nowhere')], {})).rejects.toThrow('There is no task');
  });

  it('takes a folder of tasks for one, whatever images lie in a folder that is none', async () => {
    await paint('good', 'a')(5);
    await paint('good', 'b')(5);
    await paint('annotated')(3);
    const { task, skipped } = await only();
    expect(task).toMatchObject({ name: 'good', classes: ['a', 'b'] });
    expect(skipped).toEqual([{ name: 'annotated', reason: 'It holds neither class folders nor an index.tsv.' }]);
  });

  it('names mixed sizes', async () => {
    await paint('a')(5);
    await paint('b')(5);
    const image = sharp({ create: { width: 30, height: 20, channels: 3, background: '#a08' } });
    await image.png().toFile(join(folder, 'b', 'wide.png'));
    const { task } = await only();
    expect(task?.notes.join()).toContain('2 sizes (16 x 16, 30 x 20 px)');
  });

  it.each([30, 75, 92])('reads the quality %i off a JPEG file', async (quality) => {
    const image = sharp({ create: { width: 64, height: 64, channels: 3, background: '#a08' } });
    expect(Math.abs(jpegQuality(await image.jpeg({ quality }).toBuffer()) - quality)).toBeLessThanOrEqual(1);
    expect(jpegQuality(await image.png().toBuffer())).toBe(0);
  });

  const data = realDataFolder();
  it.skipIf(data === null)('refuses the leaking split of GlaS and keeps its patients whole', async () => {
    const { task } = await only({}, join(data ?? '', 'patches', 'gland-glas'));
    expect(task).toMatchObject({ classes: ['benign', 'malignant'], grouped: true, heldOut: false });
    expect(task?.images).toHaveLength(145);
    expect(new Set(task?.images.map(({ group }) => group)).size).toBe(16);
    expect(task?.notes.join()).toContain('on both sides: it is refused');
  });
});
