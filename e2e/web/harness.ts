import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { findChromium } from '../house/chromium.ts';

export const ROOT = join(import.meta.dirname, '..', '..');
export const SCREENSHOTS = join(ROOT, 'e2e', 'screenshots');
const BIN = join(ROOT, 'src-main', 'host', 'hyaline.mjs');

/** Flags without which Chromium looks for hosts of its own at every start. */
const QUIET_FLAGS = [
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** A store call of this length is a fault, however busy the disk. */
const BUSY_DISK_MS = 10_000;
/** WebGL without a GPU: slow, but exact. */
const SOFTWARE_WEBGL_FLAGS = ['--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist'];

/** A folder of its own for everything a host writes: store, home and cache. */
export interface Sandbox {
  readonly folder: string;
  readonly storeFolder: string;
  readonly env: NodeJS.ProcessEnv;
  dispose(): Promise<void>;
}

export async function makeSandbox(): Promise<Sandbox> {
  const folder = await mkdtemp(join(tmpdir(), 'hyaline-e2e-'));
  const storeFolder = join(folder, 'store');
  const { HYALINE_STORE: _store, ORT_DISABLE_TELEMETRY: _telemetry, CI: _ci, ...inherited } = process.env;
  // Telemetry must be off by the program's own doing, and the home folder must show what it leaves behind.
  // With CI set onnxruntime writes none of its own accord, which would make the check worthless.
  const env = {
    ...inherited,
    HOME: join(folder, 'home'),
    XDG_CACHE_HOME: join(folder, 'cache'),
    XDG_DATA_HOME: join(folder, 'data'),
    XDG_CONFIG_HOME: join(folder, 'config'),
  };
  mkdirSync(env.HOME);
  return { folder, storeFolder, env, dispose: () => rm(folder, { recursive: true, force: true, maxRetries: 5 }) };
}

export interface Finished {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs one command of the built command line to its end. */
export function hyaline(args: readonly string[], sandbox: Sandbox, wrap: readonly string[] = []): Promise<Finished> {
  return startHyaline(args, sandbox, wrap).finished;
}

/** Starts one command of the built command line. */
export function startHyaline(
  args: readonly string[],
  sandbox: Sandbox,
  wrap: readonly string[] = [],
): { readonly child: ChildProcess; readonly finished: Promise<Finished> } {
  const child = spawnHyaline(args, sandbox, wrap);
  let out = '';
  let err = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    out += chunk.toString('utf8');
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    err += chunk.toString('utf8');
  });
  const finished = new Promise<Finished>((resolve) => child.once('close', (code) => resolve({ code, out, err })));
  return { child, finished };
}

function spawnHyaline(args: readonly string[], sandbox: Sandbox, wrap: readonly string[]): ChildProcess {
  const [program = '', ...rest] = [...wrap, process.execPath, BIN, ...args];
  return spawn(program, rest, { env: sandbox.env, cwd: sandbox.folder, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** A running web host. */
export interface Host {
  /** The opening address, token included; good for one use. */
  readonly openingUrl: string;
  readonly origin: string;
  readonly pid: number;
  /** What it has written to stderr so far, but for store calls that a busy disk held up. */
  complaints(): string;
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Starts the built web host on a sandbox's store and waits until it can be opened. */
export async function startHost(
  sandbox: Sandbox,
  extra: readonly string[] = [],
  wrap: readonly string[] = [],
): Promise<Host> {
  if (!existsSync(join(ROOT, 'dist', 'node', 'cli.mjs')) || !existsSync(join(ROOT, 'dist', 'renderer', 'index.html'))) {
    throw new Error('Hyaline has not been built: npm run build');
  }
  const child = spawnHyaline(['serve', '--no-open', '--json', '--store', sandbox.storeFolder, ...extra], sandbox, wrap);
  let complaints = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    complaints += chunk.toString('utf8');
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const openingUrl = await new Promise<string>((resolve, reject) => {
    let out = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      out += chunk.toString('utf8');
      const url = /"url": "([^"]+)"/.exec(out)?.[1];
      if (url !== undefined) {
        resolve(url);
      }
    });
    void exited.then((code) => reject(new Error(`The host ended with ${code}: ${complaints}`)));
  });
  return {
    openingUrl,
    origin: new URL(openingUrl).origin,
    pid: child.pid ?? 0,
    complaints: () => withoutBusyDisk(complaints),
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      return exited;
    },
  };
}

/**
 * Without the lines that name a store call of some seconds: the disk of a machine that runs tests is not the host's
 * fault. Longer ones stay.
 */
function withoutBusyDisk(lines: string): string {
  return lines.replaceAll(/^store: \w+ took (\d+) ms\n/gm, (line, ms) => (Number(ms) < BUSY_DISK_MS ? '' : line));
}

/** @param wrap a command that runs the browser elsewhere, such as in a network of its own. */
export async function launchBrowser(sandbox: Sandbox, wrap: readonly string[] = []): Promise<Browser> {
  const found = findChromium();
  if (found === null) {
    throw new Error('No Chromium is installed.');
  }
  let executablePath = found;
  if (wrap.length > 0) {
    executablePath = join(sandbox.folder, 'wrapped-browser');
    await writeFile(executablePath, `#!/bin/sh\nexec ${wrap.join(' ')} ${found} "$@"\n`, { mode: 0o755 });
  }
  const asRoot = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({ executablePath, args: [...QUIET_FLAGS, ...SOFTWARE_WEBGL_FLAGS, ...asRoot] });
}

/** A page and what went wrong on it. */
export interface WatchedPage {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Errors of the console and uncaught ones: a test that expects none checks that this stays empty. */
  readonly problems: string[];
  /** Addresses asked for outside the host's origin. */
  readonly foreign: string[];
  /** Takes a screenshot under `e2e/screenshots`. */
  shot(name: string): Promise<void>;
}

export async function newPage(browser: Browser, origin: string): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, acceptDownloads: true });
  const page = await context.newPage();
  const problems: string[] = [];
  const foreign: string[] = [];
  page.on('pageerror', (error) => problems.push(`uncaught: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error' || /content security policy/i.test(message.text())) {
      problems.push(message.text());
    }
  });
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(`${origin}/`) && !/^(blob|data):/.test(url)) {
      foreign.push(url);
    }
  });
  mkdirSync(SCREENSHOTS, { recursive: true });
  return {
    page,
    context,
    problems,
    foreign,
    shot: async (name) => void (await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) })),
  };
}
