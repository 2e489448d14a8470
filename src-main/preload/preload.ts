import { contextBridge, ipcRenderer, webUtils } from 'electron';
import {
  type EnginePortMessage,
  SHELL_CALLS,
  type ShellBridge,
  type ShellPlatform,
  type ShellResult,
} from '../../src-shared/api/shell.ts';
import {
  callChannel,
  ENGINE_PORT_CHANNEL,
  eventChannel,
  type ShellCallName,
  type ShellEventPayloads,
} from '../../src-shared/api/shell-channels.ts';

type AnyCall = (...args: readonly unknown[]) => Promise<ShellResult<never>>;

const APP_ORIGIN = 'app://hyaline';

const call =
  (name: ShellCallName): AnyCall =>
  (...args) =>
    ipcRenderer.invoke(callChannel(name), ...args);

/** A subscription that hands the page the payload only: never the event, which carries the sender. */
function subscription<K extends keyof ShellEventPayloads>(name: K) {
  return (listener: (value: ShellEventPayloads[K]) => void): (() => void) => {
    const receive = (_event: unknown, value: ShellEventPayloads[K]): void => listener(value);
    ipcRenderer.on(eventChannel(name), receive);
    return () => {
      ipcRenderer.removeListener(eventChannel(name), receive);
    };
  };
}

function createBridge(): ShellBridge {
  const calls = Object.fromEntries(SHELL_CALLS.map((name) => [name, call(name)])) as unknown as Pick<
    ShellBridge,
    (typeof SHELL_CALLS)[number]
  >;
  const onOpenFiles = subscription('openFiles');
  return {
    ...calls,
    platform: process.platform as ShellPlatform,
    // A file made by script has no path: the empty string is refused by the main process.
    grantForFile: (file) => call('grantForPath')(webUtils.getPathForFile(file as File)),
    onEngineStatus: subscription('engineStatus'),
    onOpenFailed: subscription('openFailed'),
    onMenuCommand: subscription('menuCommand'),
    onOpenFiles(listener) {
      const stop = onOpenFiles(listener);
      void call('wantOpenFiles')();
      return stop;
    },
  };
}

/** Ports cannot cross the context bridge: they reach the page as a message from its own window. */
function passPortsOn(): void {
  ipcRenderer.on(ENGINE_PORT_CHANNEL, (event, generation: number) => {
    const message: EnginePortMessage = { type: 'hyaline:engine-port', generation };
    window.postMessage(message, '/', [...event.ports]);
  });
}

// A page of another origin, or a frame, gets nothing; the main process checks every sender again.
if (location.origin === APP_ORIGIN && window.top === window) {
  contextBridge.exposeInMainWorld('hyaline', createBridge());
  passPortsOn();
}
