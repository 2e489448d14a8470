import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allowedExternalUrl } from './external-links.ts';
import { isLocalRequest } from './session-guard.ts';
import { type RunningShell, runShell } from './testing/run-shell.ts';

let running: RunningShell;
beforeAll(async () => {
  running = await runShell({ packaged: true, argv: ['hyaline'] });
});
afterAll(() => running.close());

const event = (url: string) => ({
  url,
  prevented: false,
  preventDefault() {
    this.prevented = true;
  },
});

describe('a window', () => {
  it('is made with every protection on and no developer tools when packaged', () => {
    const preferences = running.window().options.webPreferences;
    expect(preferences).toMatchObject({
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      nodeIntegrationInWorker: false,
      nodeIntegrationInSubFrames: false,
      webSecurity: true,
      allowRunningInsecureContent: false,
      webviewTag: false,
      navigateOnDragDrop: false,
      spellcheck: false,
      devTools: false,
    });
    expect(preferences?.preload).toMatch(/preload\.cjs$/);
    expect(running.double.calls.map(({ name }) => name)).toContain('enableSandbox');
    expect(running.window().contents.frame.url).toBe('app://hyaline/index.html');
  });

  it.each(['will-navigate', 'will-frame-navigate', 'will-redirect'])('stays on its page on %s', (name) => {
    for (const url of [
      'https://example.org/',
      'file:///etc/passwd',
      'app://elsewhere/',
      'app://hyaline/tile/x',
      'data:text/html,x',
    ]) {
      const away = event(url);
      running.window().contents.emit(name, away);
      expect(away.prevented, url).toBe(true);
    }
    const home = event('app://hyaline/index.html#/viewer');
    running.window().contents.emit(name, home);
    expect(home.prevented).toBe(false);
  });

  it('attaches no webview', () => {
    const attach = event('');
    running.window().contents.emit('will-attach-webview', attach);
    expect(attach.prevented).toBe(true);
  });

  it('opens no window; an allowed page goes to the system browser, any other nowhere', () => {
    const handler = running.window().contents.openHandler;
    const openedBefore = running.double.windows.length;
    for (const url of [
      'https://example.org/',
      'https://github.com/',
      'javascript:alert(1)',
      'app://hyaline/index.html',
    ]) {
      expect(handler?.({ url } as never)).toEqual({ action: 'deny' });
    }
    const opened = running.double.calls.filter(({ name }) => name === 'openExternal');
    expect(opened.map(({ args }) => args[0])).toEqual(['https://github.com/']);
    expect(running.double.windows).toHaveLength(openedBefore);
  });
});

describe('the session', () => {
  const ask = (permission: string, requestingUrl: string, isMainFrame: boolean): boolean | null => {
    let granted: boolean | null = null;
    const details = { isMainFrame, requestingUrl };
    running.double.session.permissionRequest?.(
      null as never,
      permission as never,
      (answer) => {
        granted = answer;
      },
      details as never,
    );
    return granted;
  };

  it.each([
    'ar',
    'background-sync',
    'clipboard-read',
    'display-capture',
    'fileSystem',
    'geolocation',
    'hid',
    'idle-detection',
    'keyboardLock',
    'local-fonts',
    'local-network',
    'media',
    'mediaKeySystem',
    'midi',
    'midiSysex',
    'notifications',
    'openExternal',
    'pointerLock',
    'screen-wake-lock',
    'sensors',
    'serial',
    'storage-access',
    'usb',
    'window-management',
    'unknown',
  ])('refuses %s', (permission) => {
    expect(ask(permission, 'app://hyaline/index.html', true)).toBe(false);
    expect(running.double.session.permissionCheck?.(null, permission as never, 'app://hyaline/', {} as never)).toBe(
      false,
    );
  });

  it('lets its own page fill the screen and copy text, and no other', () => {
    for (const permission of ['fullscreen', 'clipboard-sanitized-write']) {
      expect(ask(permission, 'app://hyaline/index.html', true)).toBe(true);
      expect(ask(permission, 'app://hyaline/index.html', false)).toBe(false);
      expect(ask(permission, 'https://example.org/', true)).toBe(false);
      expect(ask(permission, 'app://hyaline.example.org/', true)).toBe(false);
      const check = running.double.session.permissionCheck;
      expect(check?.(null, permission as never, 'app://hyaline/', {} as never)).toBe(true);
      expect(check?.(null, permission as never, 'https://example.org/', {} as never)).toBe(false);
    }
  });

  it('gives out no device, no screen, no download and no dictionary', () => {
    const { device, displayMedia, events, spellChecker } = running.double.session;
    expect(device?.({} as never)).toBe(false);
    displayMedia?.({} as never, (streams) => expect(streams).toBeNull());
    const download = event('');
    events.emit('will-download', download);
    expect(download.prevented).toBe(true);
    expect(spellChecker).toBe(false);
  });

  it('lets no request leave the machine', () => {
    const cancelled = (url: string): boolean | undefined => {
      let answer: boolean | undefined;
      running.double.session.beforeRequest?.({ url }, ({ cancel }) => {
        answer = cancel;
      });
      return answer;
    };
    for (const url of [
      'https://example.org/',
      'http://127.0.0.1:80/',
      'ws://localhost/',
      'ftp://x/',
      'file:///etc/passwd',
      'nonsense',
    ]) {
      expect(cancelled(url), url).toBe(true);
      expect(isLocalRequest(url), url).toBe(false);
    }
    expect(cancelled('app://hyaline/index.html')).toBe(false);
    expect(cancelled('blob:app://hyaline/0f')).toBe(false);
  });
});

describe('an outside address', () => {
  it('is opened only over https, on a known host, with nothing in front or behind the host', () => {
    expect(allowedExternalUrl('https://github.com/openslide')).toBe('https://github.com/openslide');
    for (const bad of [
      'http://github.com/',
      'https://github.com.example.org/',
      'https://example.org/github.com',
      'https://github.com:8443/',
      'https://user@github.com/',
      'file:///github.com',
      'smb://github.com/share',
      'javascript:alert(1)',
      'github.com',
      '',
    ]) {
      expect(allowedExternalUrl(bad), bad).toBeNull();
    }
  });
});
