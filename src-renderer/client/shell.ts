import type { ShellApi, ShellBridge } from '../../src-shared/api/shell.ts';
import { shellClient } from '../../src-shared/api/shell-client.ts';

declare global {
  interface Window {
    /** Exposed by the preload script; absent under the web host. */
    readonly hyaline?: ShellBridge;
  }
}

/** Electron's shell, or null in a browser. */
export const shell: ShellApi | null = window.hyaline === undefined ? null : shellClient(window.hyaline);
