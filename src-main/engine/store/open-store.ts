import { mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { AppError } from '../../../src-shared/errors.ts';
import { acquireLock } from './lock.ts';
import { detectNetworkFolder, type NetworkDetector, refuseNetworkFolder } from './network.ts';
import { openSqliteStore, type SlowCall } from './sqlite-store.ts';
import type { OpenedStore, Store } from './store.ts';
import { STORE_METHODS } from './sync-store.ts';
import { openThreadStore } from './thread-store.ts';

export interface OpenStoreOptions {
  /** Made if it is not there. Holds the database, its lock and its backups. */
  readonly folder: string;
  /** Name of the database file; `hyaline.db` by default. */
  readonly fileName?: string;
  /** False keeps the database on the calling thread, for short programs and tests. True by default. */
  readonly onThread?: boolean;
  /** How the owner is named to a second program: `hyaline serve`, … By default the script that runs. */
  readonly program?: string;
  /** Calls longer than this are reported; 500 ms by default. */
  readonly slowMs?: number;
  /** Where slow calls are reported; by default a line on stderr. */
  readonly onSlow?: (call: SlowCall) => void;
  /** For tests: which folders lie on a network share. */
  readonly detectNetwork?: NetworkDetector;
  /** For tests of a full disk: pages the database may have. */
  readonly maxPageCount?: number;
}

export const STORE_FILE_NAME = 'hyaline.db';

/**
 * Opens the store of a folder for this process alone.
 * @throws AppError StoreLocked (names the owner), StoreOnNetwork, StoreDamaged, StoreTooNew, StoreReadOnly (the folder
 * is protected), DiskFull (no room for the backup before a migration)
 */
export async function openStore(options: OpenStoreOptions): Promise<OpenedStore> {
  const { folder, fileName = STORE_FILE_NAME, slowMs = 500, onSlow = reportSlow, onThread = true } = options;
  makeFolder(folder);
  await refuseNetworkFolder(folder, options.detectNetwork ?? detectNetworkFolder);
  const lock = acquireLock({ path: join(folder, `${fileName}.lock`), program: options.program ?? runningProgram() });
  try {
    const store = onThread
      ? await openThreadStore({ folder, fileName, slowMs, maxPageCount: options.maxPageCount ?? null }, onSlow)
      : openHere({ ...options, fileName, slowMs, onSlow });
    return {
      ...store,
      close: async () => {
        try {
          await store.close();
        } finally {
          lock.release();
        }
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new AppError('StoreReadOnly', 'The folder of the store cannot be made.', {
      advice: 'Choose another folder with --store or HYALINE_STORE.',
      detail: String(error),
      cause: error,
    });
  }
}

function openHere(options: Parameters<typeof openSqliteStore>[0]): OpenedStore {
  const { store, close } = openSqliteStore(options);
  let closed = false;
  const methods = STORE_METHODS.map((method) => {
    const inner = store[method] as (...args: readonly unknown[]) => unknown;
    const outer = async (...args: readonly unknown[]): Promise<unknown> => {
      if (closed) throw new AppError('Cancelled', 'The store has been closed.');
      return inner(...args);
    };
    return [method, outer] as const;
  });
  return {
    ...(Object.fromEntries(methods) as unknown as Store),
    close: async () => {
      if (!closed) close();
      closed = true;
    },
  };
}

function runningProgram(): string {
  return basename(process.argv[1] ?? process.execPath);
}

function reportSlow({ method, ms }: SlowCall): void {
  process.stderr.write(`store: ${method} took ${Math.round(ms)} ms\n`);
}
