import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BrowserContext, Frame, Page } from 'playwright-core';
import type { PortDouble } from '../../src-main/shell/testing/port-double.ts';
import type { RunningShell } from '../../src-main/shell/testing/run-shell.ts';
import { frameDouble, type SentMessage, type WindowDouble } from '../../src-main/shell/testing/window-double.ts';

/**
 * Chromium in the place of Electron's renderer: the page and the built preload run in it for real; `app://hyaline/` is
 * spelt `https://hyaline.test/`, because Chromium alone does not know the scheme, and every request and message is
 * handed to the shell that runs under the double in this process.
 */
const ROOT = join(import.meta.dirname, '..', '..');
export const PAGE_ORIGIN = 'https://hyaline.test';

const asAppUrl = (url: string): string => url.replace(/^https:\/\/hyaline\.test/, 'app://hyaline');

/** Electron's renderer modules as the preload asks for them. Runs in the page, before any script of it. */
const SHIM = `
const listeners = new Map();
const ports = new Map();
const paths = new Map();
const electron = {
  contextBridge: {
    exposeInMainWorld(name, api) {
      Object.defineProperty(window, name, { value: Object.freeze(api), configurable: false, writable: false });
    },
  },
  ipcRenderer: {
    invoke: (channel, ...args) => window.hyalineDoubleInvoke(channel, args),
    on(channel, listener) { listeners.set(channel, [...(listeners.get(channel) ?? []), listener]); },
    removeListener(channel, listener) {
      listeners.set(channel, (listeners.get(channel) ?? []).filter((other) => other !== listener));
    },
  },
  webUtils: { getPathForFile: (file) => paths.get(file.name) ?? '' },
};
window.hyalineDouble = {
  paths,
  deliver(channel, args, portIds) {
    const received = portIds.map((id) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = ({ data }) => window.hyalineDoublePort(id, data);
      ports.set(id, port1);
      return port2;
    });
    for (const listener of listeners.get(channel) ?? []) listener({ ports: received }, ...args);
  },
  portMessage: (id, data) => ports.get(id)?.postMessage(data),
  portClosed(id) { ports.get(id)?.close(); ports.delete(id); },
};
const appLocation = { origin: location.origin.replace('https://hyaline.test', 'app://hyaline') };
(function (require, process, location) {
PRELOAD
})(() => electron, { platform: 'linux' }, appLocation);
`;

/** The built preload with the shim around it, as a script to run before any of the page. */
export function preloadScript(): string {
  const preload = readFileSync(join(ROOT, 'dist', 'preload', 'preload.cjs'), 'utf8');
  return SHIM.replace('PRELOAD', () => preload);
}

export interface RendererDouble {
  /** Refusals and answers of the shell, by channel, in order. */
  readonly invoked: readonly string[];
  /** Requests that did not go to the application. */
  readonly foreign: readonly string[];
  /** Lets a file chosen in the page have a place on the disk, as a dropped one has. */
  givePath(name: string, path: string): Promise<void>;
}

/** Makes a browser context the renderer of the shell's newest window. To be called before the page is opened. */
export async function attachRenderer(
  context: BrowserContext,
  page: Page,
  running: RunningShell,
  window: WindowDouble = running.window(),
): Promise<RendererDouble> {
  const invoked: string[] = [];
  const foreign: string[] = [];
  const ports = new Map<number, PortDouble>();

  const invoke = async ({ frame }: { readonly frame: Frame }, channel: string, args: readonly unknown[]) => {
    invoked.push(channel);
    const parent = frame.parentFrame() === null ? null : window.contents.frame;
    const sender = { id: window.contents.id, frame: frameDouble(asAppUrl(frame.url()), parent) };
    return running.double.invokeFrom(sender, channel, ...args);
  };
  const portMessage = (_source: unknown, id: number, data: unknown): void => ports.get(id)?.postMessage(data);
  await context.exposeBinding('hyalineDoubleInvoke', invoke);
  await context.exposeBinding('hyalineDoublePort', portMessage);
  await context.addInitScript({ content: preloadScript() });

  const inPage = (expression: string): Promise<unknown> => page.evaluate(expression).catch(() => undefined);
  const call = (method: string, ...args: readonly unknown[]): Promise<unknown> =>
    inPage(`window.hyalineDouble?.${method}(...${JSON.stringify(args)})`);
  let nextPort = 1;
  let queue: Promise<unknown> = Promise.resolve();
  const inOrder = (act: () => Promise<unknown>): void => {
    queue = queue.then(act, act);
  };
  window.contents.on('double:sent', ({ channel, args, ports: sent }: SentMessage) => {
    const ids = sent.map((port) => {
      const id = nextPort++;
      ports.set(id, port);
      port.on('message', ({ data }: { data: unknown }) => inOrder(() => call('portMessage', id, data)));
      port.on('close', () => inOrder(() => call('portClosed', id)));
      return id;
    });
    inOrder(() => call('deliver', channel, args, ids));
    for (const port of sent) port.start();
  });

  await context.route('**/*', async (route) => {
    const request = route.request();
    if (!request.url().startsWith(`${PAGE_ORIGIN}/`)) {
      foreign.push(request.url());
      await route.abort();
      return;
    }
    const response = await running.double.fetch(asAppUrl(request.url()), { method: request.method() });
    const body = Buffer.from(await response.arrayBuffer());
    await route.fulfill({ status: response.status, headers: Object.fromEntries(response.headers), body });
  });

  return {
    invoked,
    foreign,
    givePath: async (name, path) =>
      void (await inPage(`window.hyalineDouble.paths.set(${JSON.stringify(name)}, ${JSON.stringify(path)})`)),
  };
}
