import type { ShellCalls, ShellResult } from '../../src-shared/api/shell.ts';
import { callChannel, type PreloadCalls, type ShellCallName } from '../../src-shared/api/shell-channels.ts';
import { AppError, toErrorPayload } from '../../src-shared/errors.ts';
import { CALL_ARGUMENTS } from './call-arguments.ts';
import type { ShellIpc, ShellWindow } from './electron.ts';
import { APP_ORIGIN } from './protocol.ts';

type AllCalls = ShellCalls & PreloadCalls;

/** What answers each call: the window it came from, then the checked arguments. */
export type CallHandlers = {
  readonly [K in keyof AllCalls]: (
    window: ShellWindow,
    ...args: Parameters<AllCalls[K]>
  ) => ReturnType<AllCalls[K]> | Promise<ReturnType<AllCalls[K]>>;
};

/** Finds the window that owns web contents; null for any other. */
export type FindWindow = (webContentsId: number) => ShellWindow | null;

/** What a sender check looks at. */
export type Sender = Pick<Electron.IpcMainInvokeEvent, 'type'> & {
  readonly sender: Pick<Electron.WebContents, 'id'>;
  readonly senderFrame: Pick<Electron.WebFrameMain, 'origin' | 'url' | 'parent'> | null;
};

/**
 * The window a call came from, or null for a sender without the right to call: a frame that is gone or is not the top
 * one, a page of another origin, web contents that no window of ours shows.
 */
export function trustedWindow(event: Sender, findWindow: FindWindow): ShellWindow | null {
  const { sender, senderFrame } = event;
  if (senderFrame === null || senderFrame.parent !== null) return null;
  if (senderFrame.origin !== APP_ORIGIN || !senderFrame.url.startsWith(`${APP_ORIGIN}/`)) return null;
  const window = findWindow(sender.id);
  return window === null || window.isDestroyed() ? null : window;
}

/** Registers every call of the shell. Each one checks its sender, then its arguments, and answers with a result. */
export function registerCalls(ipc: ShellIpc, findWindow: FindWindow, handlers: CallHandlers): void {
  for (const name of Object.keys(handlers) as ShellCallName[]) {
    ipc.handle(callChannel(name), async (event, ...args: unknown[]): Promise<ShellResult<unknown>> => {
      try {
        const window = trustedWindow(event as Sender, findWindow);
        if (window === null) throw new AppError('NotAllowed', 'This page may not use the application.');
        return { ok: true, value: await answer(handlers, name, window, args) };
      } catch (error) {
        return { ok: false, error: toErrorPayload(error) };
      }
    });
  }
}

function answer(
  handlers: CallHandlers,
  name: ShellCallName,
  window: ShellWindow,
  args: readonly unknown[],
): Promise<unknown> | unknown {
  const checked = CALL_ARGUMENTS[name].safeParse(args);
  if (!checked.success) {
    throw new AppError('InvalidRequest', 'The request holds data that cannot be used.', { detail: `call ${name}` });
  }
  const handler = handlers[name] as (window: ShellWindow, ...args: readonly unknown[]) => unknown;
  return handler(window, ...(checked.data as readonly unknown[]));
}
