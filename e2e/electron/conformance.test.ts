import { afterAll, beforeAll } from 'vitest';
import { engineConformance } from '../../src-main/host/testing/conformance.ts';
import { runShell } from '../../src-main/shell/testing/run-shell.ts';
import type { GrantedFile, ShellResult } from '../../src-shared/api/shell.ts';
import { builtApplication } from './application.ts';
import { connectPage } from './page-double.ts';

let application: Awaited<ReturnType<typeof builtApplication>>;

beforeAll(async () => {
  application = await builtApplication();
});
afterAll(() => application?.dispose());

/** What the engine shows directly, over a port and over a socket, it shows to a window of the desktop application. */
engineConformance('through the desktop shell, in a process of its own', async (storeFolder) => {
  const running = await runShell({
    appFolder: application.folder,
    env: { HYALINE_STORE: storeFolder },
  });
  const connection = await connectPage(running);
  return {
    engine: connection.engine,
    onEvent: (listener) => connection.onEvent(listener),
    async grant(path) {
      const granted = (await running.call('grantForPath', path)) as ShellResult<GrantedFile>;
      if (!granted.ok) throw new Error(granted.error.message);
      return granted.value.grant;
    },
    async get(path) {
      const response = await running.double.fetch(`app://hyaline${path}`);
      const body = new Uint8Array(await response.arrayBuffer());
      return { status: response.status, headers: Object.fromEntries(response.headers), body };
    },
    close: () => running.close(),
  };
});
