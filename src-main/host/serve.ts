import { EngineSupervisor } from './engine/engine-supervisor.ts';
import { EXIT } from './exit-codes.ts';
import { installation } from './installation.ts';
import { findBrowser, openInBrowser } from './open-browser.ts';
import type { Terminal } from './terminal.ts';
import { isLoopback } from './web/access.ts';
import { loadStaticFiles } from './web/static-files.ts';
import { startWebServer } from './web/web-server.ts';

export interface ServeOptions {
  readonly storeFolder: string;
  readonly bindAddress: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Threads of the inference session; 0 = all cores. */
  readonly threads: number;
  readonly open: boolean;
  /** Opens on the demo slide, which is made first where it is not there yet. */
  readonly demo: boolean;
}

/**
 * Runs the web host until it is asked to stop (Ctrl-C, SIGTERM) and returns the exit code.
 * @throws AppError as `createEngine`, and InvalidRequest where the address cannot be listened on.
 */
export async function serve(options: ServeOptions, terminal: Terminal): Promise<number> {
  const files = await loadStaticFiles(installation.rendererFolder);
  const engine = new EngineSupervisor({
    start: {
      storeFolder: options.storeFolder,
      resourcesFolder: installation.resourcesFolder,
      threads: options.threads,
      host: 'web',
    },
    entry: installation.engineThread,
    log: (line) => terminal.note(line),
  });
  const stopped = untilStopped();
  await engine.start();
  try {
    const { bindAddress, port, storeFolder } = options;
    const server = await startWebServer({ engine, files, storeFolder, bindAddress, port });
    if (!isLoopback(bindAddress)) {
      terminal.note(
        `Warning: listening on ${bindAddress}, so other machines can reach Hyaline. The connection is not encrypted; ` +
          'an SSH tunnel to 127.0.0.1 is the safer way.',
      );
    }
    // The fragment stays in the browser and survives the redirect that removes the token.
    await announce(options.demo ? `${server.openingUrl}#/demo` : server.openingUrl, options, terminal);
    await stopped;
    await server.close();
  } finally {
    await engine.close();
  }
  return EXIT.ok;
}

async function announce(url: string, options: ServeOptions, terminal: Terminal): Promise<void> {
  terminal.printJson({ url, storeFolder: options.storeFolder });
  const browser = options.open ? findBrowser() : null;
  const opened = browser !== null && (await openInBrowser(url, browser));
  if (opened) {
    terminal.print('Hyaline is open in the browser. Ctrl-C here ends it.');
    return;
  }
  if (options.open) {
    terminal.note('No browser can be opened from here.');
  }
  terminal.print(`Open this address; it can be used once:\n  ${url}\nCtrl-C ends Hyaline.`);
}

/** Resolves at the first request to stop; a second one ends the process at once. */
function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (asked) {
          process.exit(EXIT.cancelled);
        }
        asked = true;
        resolve();
      });
    }
  });
}
