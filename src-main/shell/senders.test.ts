import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SHELL_CALLS } from '../../src-shared/api/shell.ts';
import { callChannel, type ShellCallName } from '../../src-shared/api/shell-channels.ts';
import { type RunningShell, runShell } from './testing/run-shell.ts';
import { frameDouble } from './testing/window-double.ts';

const EVERY_CALL: readonly ShellCallName[] = [...SHELL_CALLS, 'grantForPath', 'wantOpenFiles'];
const REFUSED = { ok: false, error: { code: 'NotAllowed' } };

let running: RunningShell;
beforeAll(async () => {
  running = await runShell();
});
afterAll(() => running.close());

describe('who may call the shell', () => {
  it.each(EVERY_CALL)('%s is answered, and checks its sender before anything else', async (name) => {
    const { double, window } = running;
    expect(double.hasHandler(callChannel(name))).toBe(true);
    const top = window().contents.frame;
    const id = window().contents.id;
    const senders = [
      { id, frame: null },
      { id, frame: frameDouble('https://example.org/') },
      { id, frame: frameDouble('app://elsewhere/index.html') },
      { id, frame: frameDouble('file:///index.html') },
      { id, frame: frameDouble('app://hyaline.example.org/index.html') },
      { id, frame: frameDouble('app://hyaline/index.html', top) },
      { id: 999, frame: frameDouble('app://hyaline/index.html') },
    ];
    for (const sender of senders) {
      // Arguments of the wrong kind: a refusal must come before they are looked at.
      expect(await double.invokeFrom(sender, callChannel(name), { bad: true })).toMatchObject(REFUSED);
    }
  });

  it('answers the top frame of its own window', async () => {
    expect(await running.call('engineStatus')).toMatchObject({ ok: true, value: { generation: 1 } });
    expect(await running.call('recentFiles')).toEqual({ ok: true, value: [] });
  });

  const misfits: readonly (readonly [ShellCallName, ...unknown[]])[] = [
    ['openFiles', 'everything'],
    ['openFiles'],
    ['openFiles', 'slide', 'more'],
    ['openRecent', '../../etc/passwd'],
    ['openRecent', { toString: 'x' }],
    ['saveExport', 'id', 7],
    ['openExternal', ['https://github.com']],
    ['setMenuCommands', ['format-disk']],
    ['grantForPath', null],
    ['newWindow', 1],
  ];
  it.each(misfits.map((misfit) => ({ name: misfit[0], args: misfit.slice(1) })))(
    'refuses arguments that do not fit: $name $args',
    async ({ name, args }) => {
      expect(await running.call(name, ...args)).toMatchObject({ ok: false, error: { code: 'InvalidRequest' } });
    },
  );

  it('does not answer a page that has left the application, nor talk to it', async () => {
    const window = running.window();
    const home = window.contents.frame.url;
    window.contents.frame.url = 'https://example.org/';
    const before = window.contents.sent.length;
    expect(await running.call('engineStatus')).toMatchObject(REFUSED);
    running.shell?.windows.broadcast('menuCommand', 'go-library');
    expect(window.contents.sent).toHaveLength(before);
    window.contents.frame.url = home;
    running.shell?.windows.broadcast('menuCommand', 'go-library');
    expect(window.contents.sent).toHaveLength(before + 1);
  });
});
