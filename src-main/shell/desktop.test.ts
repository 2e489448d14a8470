import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { commandLineArguments } from './command-line.ts';
import {
  openedNames,
  type RunningShell,
  received,
  runShell,
  type ShellSetUp,
  SMALL_ENGINE,
  until,
} from './testing/run-shell.ts';

const shells: RunningShell[] = [];
async function start(setUp: ShellSetUp = {}): Promise<RunningShell> {
  const running = await runShell(setUp);
  shells.push(running);
  return running;
}
afterEach(async () => {
  await Promise.all(shells.splice(0).map((running) => running.close()));
});

describe('files opened from outside', () => {
  it('named at the start wait for the page, and reach it as grants without a path', async () => {
    const early = await start();
    const path = early.file('Müller & Co 7.svs');
    const running = await start({ folder: early.folder, argv: ['electron', '.', '--flag=x.svs', path, 'notes.txt'] });
    expect(openedNames(running.window())).toEqual([]);
    await running.call('wantOpenFiles');
    const [files] = received(running.window(), 'openFiles');
    expect(files).toEqual([{ grant: expect.any(String), fileName: 'Müller & Co 7.svs', sizeBytes: 7, kind: 'slide' }]);
    expect(JSON.stringify(running.window().contents.sent)).not.toContain(running.folder);
  });

  it('sent by macOS before the application is ready are kept', async () => {
    const early = await start();
    const path = early.file('early.ndpi');
    const running = await start({
      folder: early.folder,
      platform: 'darwin',
      beforeReady: (double) => double.app.emit('open-file', { preventDefault: () => undefined }, path),
    });
    await running.call('wantOpenFiles');
    expect(openedNames(running.window())).toEqual(['early.ndpi']);
  });

  it('handed over by a second instance open in the window in use and bring it to the front', async () => {
    const running = await start();
    running.file('deep/second.svs');
    await running.call('wantOpenFiles');
    const window = running.window();
    window.minimized = true;
    window.visible = false;
    const argv = ['/opt/Hyaline/hyaline', '--allow-file-access', '--original-process-start-time=1', 'deep/second.svs'];
    running.double.app.emit('second-instance', {}, argv, running.folder, null);
    await until(() => openedNames(window).length === 1);
    expect(openedNames(window)).toEqual(['second.svs']);
    expect([window.minimized, window.visible, window.focused]).toEqual([false, true, true]);
  });

  it('a second instance starts nothing of its own', async () => {
    const running = await start({ firstInstance: false });
    expect(running.shell).toBeNull();
    expect(running.double.windows).toHaveLength(0);
    expect(running.double.forks).toHaveLength(0);
    expect(running.double.calls.map(({ name }) => name)).toContain('quit');
  });

  it('open a new window on macOS where none is left', async () => {
    const running = await start({ platform: 'darwin' });
    const path = running.file('later.svs');
    running.window().close();
    running.double.app.emit('open-file', { preventDefault: () => undefined }, path);
    expect(running.double.windows).toHaveLength(2);
    await running.call('wantOpenFiles');
    await until(() => openedNames(running.window()).length === 1);
  });

  it('that are gone arrive as a sentence, the others all the same', async () => {
    const running = await start();
    const here = running.file('here.svs');
    await running.call('wantOpenFiles');
    running.double.app.emit('second-instance', {}, ['x', join(running.folder, 'gone.svs'), here], '/', null);
    await until(() => openedNames(running.window()).length === 1);
    expect(received(running.window(), 'openFailed')).toMatchObject([
      { code: 'FileUnreadable', message: 'The file “gone.svs” is not there any more.' },
    ]);
  });
});

describe('dropped files', () => {
  it('become grants when they are files Hyaline opens', async () => {
    const running = await start();
    const result = await running.call('grantForPath', running.file('a.ONNX', '12345'));
    expect(result).toMatchObject({ ok: true, value: { fileName: 'a.ONNX', kind: 'model', sizeBytes: 5 } });
  });

  it('may be a folder of slides or a table, which are no recent files', async () => {
    const running = await start();
    running.file('folder.svs/inside.txt');
    expect(await running.call('grantForPath', join(running.folder, 'folder.svs'))).toMatchObject({
      ok: true,
      value: { fileName: 'folder.svs', kind: 'folder', sizeBytes: 0 },
    });
    expect(await running.call('grantForPath', running.file('list.csv'))).toMatchObject({ value: { kind: 'table' } });
    expect(await running.call('recentFiles')).toEqual({ ok: true, value: [] });
  });

  it('are refused when they are no file of this machine or of another kind', async () => {
    const running = await start();
    const refused = ['', 'relative.svs', '/etc/passwd', running.file('notes.txt'), '/a\0b.svs', '\\\\.\\pipe\\x.svs'];
    for (const path of refused) {
      expect(await running.call('grantForPath', path), path).toMatchObject({
        ok: false,
        error: { code: 'NotAllowed' },
      });
    }
    expect(await running.call('grantForPath', join(running.folder, 'no.svs'))).toMatchObject({
      ok: false,
      error: { code: 'FileUnreadable' },
    });
  });
});

describe('dialogs', () => {
  it('open several slides, one model, and nothing when cancelled', async () => {
    const running = await start();
    running.double.answers.open = [running.file('a.svs'), running.file('b.tiff')];
    expect(await running.call('openFiles', 'slide')).toMatchObject({
      ok: true,
      value: [{ fileName: 'a.svs' }, { fileName: 'b.tiff' }],
    });
    running.file('cases/a.svs');
    running.double.answers.open = [join(running.folder, 'cases')];
    expect(await running.call('openFiles', 'folder')).toMatchObject({
      ok: true,
      value: [{ fileName: 'cases', kind: 'folder' }],
    });
    for (const kind of ['task-folder', 'annotated-folder', 'mirror-folder', 'feature-folder']) {
      expect(await running.call('openFiles', kind)).toMatchObject({ ok: true, value: [{ kind: 'folder' }] });
    }
    running.double.answers.open = [running.file('case.h5')];
    expect(await running.call('openFiles', 'features')).toMatchObject({ ok: true, value: [{ kind: 'features' }] });
    running.double.answers.open = null;
    expect(await running.call('openFiles', 'model')).toEqual({ ok: true, value: [] });
    const options = running.double.calls.filter(({ name }) => name === 'showOpenDialog').map(({ args }) => args[1]);
    expect(options).toMatchObject([
      { properties: ['openFile', 'multiSelections'], title: 'Open slides' },
      { properties: ['openDirectory'], title: 'Open a folder of slides' },
      { properties: ['openDirectory'], title: 'Choose a folder of labelled patches' },
      { properties: ['openDirectory'], title: 'Choose a folder of images or annotations' },
      { properties: ['openDirectory'], title: 'Choose the folder that holds the checkpoints' },
      { properties: ['openDirectory'], title: 'Choose a folder of feature files' },
      { properties: ['openFile'], title: 'Choose the features of a slide' },
      { properties: ['openFile'] },
    ]);
  });

  it('save an export under the chosen name, whole, and propose a harmless one', async () => {
    const running = await start();
    const target = join(running.folder, 'case.pdf');
    running.double.answers.save = target;
    const id = 'e'.repeat(20);
    expect(await running.call('saveExport', id, '../../.ssh/ca:se\u0007.pdf')).toEqual({
      ok: true,
      value: { fileName: 'case.pdf' },
    });
    expect(readFileSync(target, 'utf8')).toBe(`answer to /download/${id}`);
    expect(existsSync(`${target}.part`)).toBe(false);
    expect(running.double.calls.find(({ name }) => name === 'showSaveDialog')?.args[1]).toMatchObject({
      defaultPath: 'case.pdf',
    });
    running.double.answers.save = join(running.folder, 'no', 'such', 'folder.pdf');
    expect(await running.call('saveExport', id, 'x.pdf')).toMatchObject({
      ok: false,
      error: { code: 'FileUnreadable' },
    });
    running.double.answers.save = null;
    expect(await running.call('saveExport', id, 'x.pdf')).toEqual({ ok: true, value: null });
  });
});

describe('a study', () => {
  it('is answered with a sentence for as long as nothing opens it', async () => {
    const running = await start();
    expect(await running.call('grantForPath', running.file('a.hyaline'))).toMatchObject({
      ok: false,
      error: { message: '“a.hyaline” holds a study, which this version does not open yet.' },
    });
  });
});

describe('recent files', () => {
  it('survive a restart, open by id, leave the list when gone, and can be cleared', async () => {
    const first = await start();
    const paths = ['one.svs', 'two.svs', 'one.svs'].map((name) => first.file(name));
    for (const path of paths) await first.call('grantForPath', path);
    await first.shell?.supervisor.close();
    const running = await start({ folder: first.folder });
    const listed = (await running.call('recentFiles')) as { value: { id: string; fileName: string }[] };
    expect(listed.value.map(({ fileName }) => fileName)).toEqual(['one.svs', 'two.svs']);
    expect(JSON.stringify(listed)).not.toContain(running.folder);
    const [one, two] = listed.value;
    expect(await running.call('openRecent', one?.id)).toMatchObject({ ok: true, value: { fileName: 'one.svs' } });
    rmSync(join(running.folder, 'two.svs'));
    expect(await running.call('openRecent', two?.id)).toMatchObject({ ok: false, error: { code: 'FileUnreadable' } });
    expect(await running.call('openRecent', two?.id)).toMatchObject({ ok: false, error: { code: 'NotFound' } });
    await running.call('clearRecentFiles');
    expect(await running.call('recentFiles')).toEqual({ ok: true, value: [] });
    expect(running.double.calls.map(({ name }) => name)).toContain('clearRecentDocuments');
  });
});

describe('windows', () => {
  it('come back where they were, a further one set off from it', async () => {
    const first = await start();
    first.window().bounds = { x: 40, y: 60, width: 1200, height: 800 };
    first.window().maximized = true;
    first.window().close();
    const running = await start({ folder: first.folder });
    expect(running.window().options).toMatchObject({ x: 40, y: 60, width: 1200, height: 800 });
    await until(() => running.window().visible);
    expect(running.window().maximized).toBe(true);
    await running.call('newWindow');
    expect(running.double.windows).toHaveLength(2);
    expect(running.window().options).toMatchObject({ x: 68, y: 88 });
  });

  it('are not lost on a screen that has gone', async () => {
    const first = await start();
    first.window().bounds = { x: 3000, y: 200, width: 4000, height: 800 };
    first.window().close();
    const running = await start({ folder: first.folder, displays: [{ x: 0, y: 0, width: 1280, height: 720 }] });
    expect(running.window().options).toMatchObject({ width: 1280, height: 720 });
    expect(running.window().options.x).toBeUndefined();
  });

  it('are loaded again when their page dies, but not for ever', async () => {
    const running = await start();
    const { contents } = running.window();
    for (let i = 0; i < 3; i++) contents.emit('render-process-gone', {}, { reason: 'crashed', exitCode: 11 });
    expect(contents.reloads).toBe(2);
    expect(running.double.calls.map(({ name }) => name)).toContain('showErrorBox');
    expect(readFileSync(join(running.folder, 'logs', 'shell.log'), 'utf8')).toContain('renderer gone: crashed (11)');
  });
});

describe('the end', () => {
  it('closing the last window quits, and the engine is closed before the application exits', async () => {
    const running = await start();
    await until(() => running.shell?.supervisor.status.state === 'ready');
    running.window().close();
    await until(() => running.double.calls.some(({ name }) => name === 'exit'));
    expect(running.double.forks[0]?.child.exitCode).toBe(0);
  });

  it('on macOS the application stays without a window, and shows one when activated', async () => {
    const running = await start({ platform: 'darwin' });
    running.window().close();
    expect(running.double.calls.map(({ name }) => name)).not.toContain('quit');
    running.double.app.emit('activate');
    expect(running.double.windows).toHaveLength(2);
  });
});

describe('while a job runs', () => {
  it('the machine stays awake and the taskbar shows progress, until the engine dies or the job ends', async () => {
    const running = await start();
    await until(() => running.shell?.supervisor.status.state === 'ready');
    await running.shell?.supervisor.route('GET', '/run/job-1');
    await until(() => running.window().progress.length > 0);
    expect(running.window().progress).toEqual([0.25]);
    const blockers = () => running.double.calls.map(({ name }) => name).filter((name) => name.startsWith('power'));
    expect(blockers()).toEqual(['powerSaveBlocker.start']);
    await running.shell?.supervisor.route('GET', '/crash').catch(() => undefined);
    await until(() => running.window().progress.at(-1) === -1);
    expect(blockers().slice(0, 2)).toEqual(['powerSaveBlocker.start', 'powerSaveBlocker.stop']);
  });
});

describe('a command in place of files', () => {
  it('is a plain word, never a file, a folder or an option of Chromium', () => {
    expect(commandLineArguments(['hyaline', 'info', 'slide.svs'], 1)).toEqual(['info', 'slide.svs']);
    expect(commandLineArguments(['hyaline', '--version'], 1)).toEqual(['--version']);
    for (const other of ['slide.svs', '/data/slide', './info', '--no-sandbox', 'C:\\slides', '.', '']) {
      expect(commandLineArguments(['hyaline', other], 1), other).toBeNull();
    }
    expect(commandLineArguments(['hyaline'], 1)).toBeNull();
  });

  it('runs the command line in a process of its own, without a window, and exits with its code', async () => {
    const running = await start({
      argv: ['electron', '.', 'info', 'slide.svs'],
      env: { SMALL_ENGINE: 'crash-on-start' },
    });
    expect(running.shell).toBeNull();
    expect(running.double.windows).toHaveLength(0);
    expect(running.double.forks[0]?.args).toEqual(['--hyaline-cli', 'info', 'slide.svs']);
    expect(running.double.calls.at(-1)).toEqual({ name: 'exit', args: [4] });
  });
});

describe('the engine process', () => {
  it('is told where things are, has telemetry off, and cannot be turned into something else', async () => {
    const env = { NODE_OPTIONS: '--require=/evil.js', ELECTRON_RUN_AS_NODE: '1', ORT_DISABLE_TELEMETRY: '0' };
    const running = await start({ env });
    const fork = running.double.forks[0];
    expect(fork?.modulePath).toMatch(/dist\/node\/utility\.mjs$/);
    expect(fork?.options.env).toMatchObject({ ORT_DISABLE_TELEMETRY: '1' });
    expect(Object.keys(fork?.options.env ?? {})).not.toContain('NODE_OPTIONS');
    expect(Object.keys(fork?.options.env ?? {})).not.toContain('ELECTRON_RUN_AS_NODE');
    expect(JSON.parse(fork?.args[0] ?? '')).toMatchObject({ threads: 0 });
  });

  it('runs from beside the archive in the packaged application', async () => {
    const early = await start();
    const archive = join(early.folder, 'application', 'app.asar');
    early.file('application/app.asar/dist/renderer/index.html');
    const running = await start({
      folder: early.folder,
      packaged: true,
      argv: ['hyaline'],
      appFolder: archive,
      entryFor: () => SMALL_ENGINE,
    });
    expect(running.double.forks[0]?.modulePath).toContain(join('app.asar.unpacked', 'dist', 'node'));
  });

  it('is given the CUDA provider a user has put in place', async () => {
    const early = await start();
    const native = join('node_modules', 'onnxruntime-node', 'bin', 'napi-v6', process.platform, process.arch);
    early.file(join('userData', 'cuda', native, 'libonnxruntime_providers_cuda.so'));
    const running = await start({ folder: early.folder });
    expect(running.double.forks[0]?.options.env).toMatchObject({
      HYALINE_CUDA_FOLDER: join(early.folder, 'userData', 'cuda'),
    });
    expect(early.double.forks[0]?.options.env).not.toHaveProperty('HYALINE_CUDA_FOLDER');
  });
});
