import { existsSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { acquireLock, readOwner } from './lock.ts';
import { openStore } from './open-store.ts';
import { type Child, startChild } from './testing/child.ts';
import { temporaryFolder } from './testing/samples.ts';

describe('the lock of a store', () => {
  let folder: string;
  let path: string;
  const children: Child[] = [];

  const startOwner = (program: string, startAtMs = 0): Child => {
    const child = startChild('owner.ts', [folder, program, String(startAtMs)]);
    children.push(child);
    return child;
  };

  beforeEach(() => {
    folder = temporaryFolder();
    path = join(folder, 'hyaline.db.lock');
  });

  afterEach(async () => {
    for (const { process } of children) process.kill('SIGKILL');
    for (const child of children.splice(0)) await child.ended();
    rmSync(folder, { recursive: true });
  });

  it('tells a second process in one sentence who the owner is', async () => {
    const owner = startOwner('hyaline serve');
    expect(await owner.line()).toBe('owner');
    const pid = owner.process.pid;
    await expect(openStore({ folder })).rejects.toMatchObject({
      code: 'StoreLocked',
      message: expect.stringMatching(
        new RegExp(
          `^The store is in use by hyaline serve, process ${pid}, since \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d\\.$`,
        ),
      ),
    });
    expect(existsSync(join(folder, 'hyaline.db'))).toBe(false);
    owner.process.stdin?.write('leave\n');
    await owner.ended();
    expect(existsSync(path)).toBe(false);
    await (await openStore({ folder })).close();
  });

  it('is taken over at once from an owner that was killed', async () => {
    const owner = startOwner('killed');
    await owner.line();
    owner.process.kill('SIGKILL');
    await owner.ended();
    expect(readOwner(path)?.program).toBe('killed');
    const lock = acquireLock({ path, program: 'next' });
    expect(readOwner(path)).toEqual(lock.owner);
    expect(lock.owner).toMatchObject({ pid: process.pid, host: hostname(), program: 'next' });
    lock.release();
  });

  it.each([1, 2, 3])(
    'goes to exactly one of four processes that start at the same moment (round %i)',
    async (round) => {
      if (round === 2)
        writeFileSync(path, JSON.stringify({ pid: 2 ** 22 + 1, host: hostname(), program: 'long dead' }));
      if (round === 3) writeFileSync(path, '{"pid": 12');
      const startAtMs = Date.now() + 1500;
      const starters = ['a', 'b', 'c', 'd'].map((program) => startOwner(program, startAtMs));
      const answers = await Promise.all(starters.map((starter) => starter.line()));
      const winners = answers.filter((answer) => answer === 'owner');
      expect(winners).toHaveLength(1);
      expect(
        answers.filter((answer) => /^StoreLocked: The store is in use by [abcd], process/.test(answer)),
      ).toHaveLength(3);
      expect(readOwner(path)?.program).toBe(['a', 'b', 'c', 'd'][answers.indexOf('owner')]);
    },
  );

  it('is refused twice in one process too', async () => {
    const store = await openStore({ folder, program: 'first' });
    await expect(openStore({ folder })).rejects.toMatchObject({
      code: 'StoreLocked',
      message: expect.stringContaining('first, process'),
    });
    await store.setSetting('still', 'mine');
    await expect(openStore({ folder })).rejects.toMatchObject({ code: 'StoreLocked' });
    await store.close();
  });

  it('respects an owner on another machine as long as its heart beats', () => {
    const far = { pid: 4711, host: 'lab-3', program: 'Hyaline', startedAtMs: Date.now() };
    writeFileSync(path, JSON.stringify(far));
    expect(() => acquireLock({ path, program: 'here' })).toThrow(/in use by Hyaline, process 4711 on lab-3, since /);
    const old = new Date(Date.now() - 60_000);
    utimesSync(path, old, old);
    acquireLock({ path, program: 'here' }).release();
  });

  it('beats, and writes itself anew where its file was deleted', async () => {
    const lock = acquireLock({ path, program: 'beating', heartbeatMs: 20 });
    const old = new Date(0);
    utimesSync(path, old, old);
    await expect.poll(() => Date.now() - statSync(path).mtimeMs, { timeout: 20_000 }).toBeLessThan(10_000);
    rmSync(path);
    await expect.poll(() => readOwner(path)?.program, { timeout: 20_000 }).toBe('beating');
    lock.release();
    lock.release();
    expect(existsSync(path)).toBe(false);
  });

  it('stays free when opening fails', async () => {
    writeFileSync(join(folder, 'hyaline.db'), 'x'.repeat(5000));
    await expect(openStore({ folder })).rejects.toMatchObject({ code: 'StoreDamaged' });
    acquireLock({ path, program: 'next' }).release();
  });
});
