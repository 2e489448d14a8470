import { statSync } from 'node:fs';
import { AppError, hasCode } from '../../../src-shared/errors.ts';
import type { StoreStatus } from '../../../src-shared/model/installation.ts';
import { backboneTable } from './backbone-table.ts';
import { backupFolderOf } from './backup.ts';
import { chunkTable } from './chunk-table.ts';
import { comparisonTable } from './comparison-table.ts';
import { gridTable } from './grid-table.ts';
import { jobTable } from './job-table.ts';
import { judgementTable } from './judgement-table.ts';
import { mapTable } from './map-table.ts';
import { MIGRATIONS } from './migrations/all.ts';
import type { Migration } from './migrations/migration.ts';
import { type OpenedDatabase, openDatabase } from './open-database.ts';
import { runTable } from './run-table.ts';
import { slideTable } from './slide-table.ts';
import { translateSqliteError } from './sqlite-errors.ts';
import { studyTable } from './study-table.ts';
import { isWrite, STORE_METHODS, type StoreMethod, type SyncStore } from './sync-store.ts';

/** A store call that took longer than `slowMs`. */
export interface SlowCall {
  readonly method: StoreMethod;
  readonly ms: number;
}

export interface SqliteStoreOptions {
  /** Made if it is not there. */
  readonly folder: string;
  readonly fileName: string;
  readonly slowMs: number;
  readonly onSlow: (call: SlowCall) => void;
  /** For tests of migrations; the app's own by default. */
  readonly migrations?: readonly Migration[];
  /** For tests of a full disk: how many pages the file may have. */
  readonly maxPageCount?: number;
}

/** A SQLite store on this thread. The caller holds the store's lock. */
export interface SqliteStore {
  readonly store: SyncStore;
  close(): void;
}

/** Methods after which freed pages are given back to the disk. */
const FREEING: ReadonlySet<StoreMethod> = new Set(['forgetSlide', 'removeRun', 'removeBackbone']);
const RECLAIM_PAGES = 1024;

/**
 * Opens (or makes) the store on this thread; every call blocks it. Errors are translated to AppErrors, writes to a
 * read-only store are refused, slow calls are reported.
 * @throws AppError as `openDatabase`
 */
export function openSqliteStore(options: SqliteStoreOptions): SqliteStore {
  const opened = openDatabase({ ...options, migrations: options.migrations ?? MIGRATIONS });
  try {
    if (options.maxPageCount !== undefined) opened.db.pragma(`max_page_count = ${options.maxPageCount}`);
    return storeOn(opened, options);
  } catch (error) {
    opened.db.close();
    throw error;
  }
}

function storeOn(opened: OpenedDatabase, options: SqliteStoreOptions): SqliteStore {
  const { db } = opened;
  const runs = runTable(db);
  pauseInterrupted(opened, runs);
  const tables: SyncStore = {
    ...slideTable(db),
    ...backboneTable(db),
    ...gridTable(db),
    ...runs,
    ...chunkTable(db),
    ...mapTable(db),
    ...judgementTable(db),
    ...jobTable(db),
    ...studyTable(db),
    ...comparisonTable(db),
    status: () => statusOf(options.folder, opened, runs.featureBytes()),
  };
  const reclaimer = makeReclaimer(opened);
  const guarded = guard(tables, opened, options, (method) => {
    if (FREEING.has(method)) reclaimer.start();
  });
  return {
    store: guarded,
    close: () => {
      reclaimer.stop();
      db.close();
    },
  };
}

/** A full disk must not keep the store from opening: what is there can be read, and a later start pauses the runs. */
function pauseInterrupted({ readOnlyReason }: OpenedDatabase, runs: ReturnType<typeof runTable>): void {
  if (readOnlyReason !== null) return;
  try {
    runs.pauseRunning();
  } catch (error) {
    const translated = translateSqliteError(error, { backupFolder: '' });
    if (!hasCode(translated, 'DiskFull')) throw error;
  }
}

function statusOf(folder: string, { path, schemaVersion, readOnlyReason }: OpenedDatabase, featureBytes: number) {
  const sizeOf = (file: string) => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  const status: StoreStatus = {
    folder,
    sizeBytes: sizeOf(path) + sizeOf(`${path}-wal`),
    readOnly: readOnlyReason !== null,
    readOnlyReason: readOnlyReason ?? '',
    schemaVersion,
    featureBytes,
  };
  return status;
}

/** Wraps every method: refusal of writes, translation of errors, report of slow calls. */
function guard(
  tables: SyncStore,
  { readOnlyReason }: OpenedDatabase,
  options: SqliteStoreOptions,
  afterCall: (method: StoreMethod) => void,
): SyncStore {
  const advice = { backupFolder: backupFolderOf(options.folder) };
  const wrapped = STORE_METHODS.map((method) => {
    const inner = tables[method] as (...args: readonly unknown[]) => unknown;
    const outer = (...args: readonly unknown[]): unknown => {
      if (readOnlyReason !== null && isWrite(method)) {
        throw new AppError('StoreReadOnly', readOnlyReason, { advice: 'Update Hyaline, or choose another store.' });
      }
      const startMs = performance.now();
      try {
        return inner(...args);
      } catch (error) {
        throw translateSqliteError(error, advice);
      } finally {
        const ms = performance.now() - startMs;
        if (ms > options.slowMs) options.onSlow({ method, ms });
        afterCall(method);
      }
    };
    return [method, outer] as const;
  });
  return Object.fromEntries(wrapped) as unknown as SyncStore;
}

/** Gives freed pages back in small steps between calls, so that removing gigabytes does not hold up the next caller. */
function makeReclaimer({ db, readOnlyReason }: OpenedDatabase): { start(): void; stop(): void } {
  let pending: NodeJS.Immediate | null = null;
  const step = (): void => {
    pending = null;
    if (!db.open || readOnlyReason !== null) return;
    try {
      const before = Number(db.pragma('freelist_count', { simple: true }));
      if (before === 0) {
        db.pragma('wal_checkpoint(TRUNCATE)');
        return;
      }
      db.pragma(`incremental_vacuum(${RECLAIM_PAGES})`);
      if (Number(db.pragma('freelist_count', { simple: true })) < before) pending = setImmediate(step);
    } catch {
      // Pages that stay free are used again by the next write.
    }
  };
  return {
    start: () => {
      pending ??= setImmediate(step);
    },
    stop: () => {
      if (pending !== null) clearImmediate(pending);
      pending = null;
    },
  };
}
