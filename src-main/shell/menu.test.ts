import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { openedNames, type RunningShell, received, runShell, type ShellSetUp, until } from './testing/run-shell.ts';

type MenuItem = Electron.MenuItemConstructorOptions;

const shells: RunningShell[] = [];
async function start(setUp: ShellSetUp = {}): Promise<RunningShell> {
  const running = await runShell(setUp);
  shells.push(running);
  return running;
}
afterEach(async () => {
  await Promise.all(shells.splice(0).map((running) => running.close()));
});

describe('crash dumps', () => {
  it('are never uploaded, are counted, and can be purged', async () => {
    const running = await start();
    expect(running.double.calls.find(({ name }) => name === 'crashReporter.start')?.args).toEqual([
      { uploadToServer: false },
    ]);
    running.file('crashDumps/settings.dat');
    running.file('crashDumps/pending/a.dmp', 'x'.repeat(100));
    running.file('crashDumps/completed/b.dmp', 'x'.repeat(50));
    running.file('crashDumps/completed/b.meta', 'x'.repeat(5));
    expect(await running.call('crashDumps')).toEqual({ ok: true, value: { count: 2, sizeBytes: 155 } });
    expect(await running.call('purgeCrashDumps')).toEqual({ ok: true, value: { count: 0, sizeBytes: 0 } });
    expect(existsSync(join(running.folder, 'crashDumps', 'settings.dat'))).toBe(true);
  });

  it('can be purged from the menu, after the user has said so', async () => {
    const running = await start();
    const dump = running.file('crashDumps/pending/a.dmp', 'x'.repeat(100));
    const choose = async (button: number): Promise<void> => {
      const before = running.double.calls.length;
      running.double.answers.button = button;
      const help = running.double.menu().find(({ role }) => role === 'help')?.submenu as MenuItem[];
      help.find(({ label }) => label === 'Crash Dumps…')?.click?.(null as never, undefined, null as never);
      await until(() => running.double.calls.length > before);
      await new Promise((resolve) => setTimeout(resolve, 50));
    };
    await choose(2);
    expect(existsSync(dump)).toBe(true);
    await choose(1);
    expect(running.double.calls.at(-1)).toEqual({ name: 'openPath', args: [join(running.folder, 'crashDumps')] });
    await choose(0);
    expect(existsSync(dump)).toBe(false);
  });
});

describe('the menu', () => {
  const labels = (items: readonly MenuItem[]): readonly (string | undefined)[] =>
    items.map(({ label, role }) => label ?? role);
  const under = (running: RunningShell, name: string): readonly MenuItem[] =>
    running.double.menu().find(({ label, role }) => label === name || role === name)?.submenu as MenuItem[];

  it('is the platform’s own: settings, About and Quit lie where they belong', async () => {
    const linux = await start();
    expect(labels(linux.double.menu())).toEqual(['File', 'editMenu', 'View', 'Go', 'windowMenu', 'help']);
    expect(labels(under(linux, 'File'))).toEqual(expect.arrayContaining(['Settings', 'quit']));
    expect(labels(under(linux, 'help'))).toContain('About Hyaline');
    expect(linux.window().options.autoHideMenuBar).toBe(true);
    const mac = await start({ platform: 'darwin' });
    expect(labels(mac.double.menu())[0]).toBe('Hyaline');
    expect(labels(under(mac, 'Hyaline'))).toEqual(
      expect.arrayContaining(['About Hyaline', 'Settings…', 'services', 'quit']),
    );
    expect(labels(under(mac, 'File'))).not.toContain('quit');
    expect(mac.window().options.autoHideMenuBar).toBe(false);
  });

  it('has no accelerator twice', async () => {
    const running = await start({ platform: 'darwin' });
    const keys = running.double
      .menu()
      .flatMap(({ submenu }) =>
        Array.isArray(submenu) ? submenu.flatMap(({ accelerator }) => accelerator ?? []) : [],
      );
    expect(keys.length).toBeGreaterThan(5);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('offers only what the page in front says it can do, and tells it what was chosen', async () => {
    const running = await start();
    const item = (menu: string, label: string): MenuItem | undefined =>
      under(running, menu).find((entry) => entry.label === label);
    expect(item('Go', 'Viewer')?.enabled).toBe(false);
    await running.call('setMenuCommands', ['go-viewer', 'zoom-fit']);
    expect(item('Go', 'Viewer')?.enabled).toBe(true);
    expect(item('View', 'Whole Slide')?.enabled).toBe(true);
    expect(item('Go', 'Study')?.enabled).toBe(false);
    item('View', 'Whole Slide')?.click?.(null as never, undefined, null as never);
    expect(received(running.window(), 'menuCommand')).toEqual(['zoom-fit']);
    await running.call('newWindow');
    expect(item('Go', 'Viewer')?.enabled).toBe(false);
  });

  it('lists recent files by name and opens them', async () => {
    const running = await start();
    await running.call('grantForPath', running.file('Smith & Sons.svs'));
    const recent = under(running, 'File').find(({ label }) => label === 'Open Recent')?.submenu as MenuItem[];
    expect(recent[0]?.label).toBe('Smith && Sons.svs');
    recent[0]?.click?.(null as never, undefined, null as never);
    await until(() => openedNames(running.window()).length === 1);
    expect(openedNames(running.window())).toEqual(['Smith & Sons.svs']);
  });

  it('opens files through the native dialog', async () => {
    const running = await start();
    await running.call('wantOpenFiles');
    running.double.answers.open = [running.file('chosen.svs')];
    under(running, 'File')
      .find(({ label }) => label === 'Open…')
      ?.click?.(null as never, undefined, null as never);
    await until(() => openedNames(running.window()).length === 1);
    expect(openedNames(running.window())).toEqual(['chosen.svs']);
  });
});
