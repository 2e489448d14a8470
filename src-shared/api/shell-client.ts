import { fromErrorPayload } from '../errors.ts';
import type { ShellApi, ShellBridge, ShellResult } from './shell.ts';
import { SHELL_CALLS } from './shell.ts';

/** The shell as views use it. Every call resolves to its value or rejects with the AppError the shell named. */
export function shellClient(bridge: ShellBridge): ShellApi {
  const calls = Object.fromEntries(
    [...SHELL_CALLS, 'grantForFile' as const].map((name) => {
      const call = bridge[name] as (...args: readonly unknown[]) => Promise<ShellResult<unknown>>;
      return [name, async (...args: readonly unknown[]) => unwrap(await call(...args))];
    }),
  );
  return {
    ...(calls as Pick<ShellApi, (typeof SHELL_CALLS)[number] | 'grantForFile'>),
    platform: bridge.platform,
    onEngineStatus: bridge.onEngineStatus,
    onOpenFiles: bridge.onOpenFiles,
    onOpenFailed: bridge.onOpenFailed,
    onMenuCommand: bridge.onMenuCommand,
  };
}

function unwrap<T>(result: ShellResult<T>): T {
  if (result.ok) return result.value;
  throw fromErrorPayload(result.error);
}
