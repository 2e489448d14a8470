import { mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { AppError } from '../../../src-shared/errors.ts';

/** Who owns a store, as the lock file says. The heartbeat is the file's modification time. */
export interface LockOwner {
  readonly pid: number;
  readonly host: string;
  /** What the user started: `hyaline serve`, `Hyaline`, … */
  readonly program: string;
  readonly startedAtMs: number;
}

export interface LockOptions {
  /** The lock file; `PATH.guard` lies beside it. */
  readonly path: string;
  readonly program: string;
  /** Milliseconds between heartbeats. */
  readonly heartbeatMs?: number;
  /** An owner on another machine counts as dead after this long without a heartbeat. */
  readonly staleMs?: number;
  /** The name of this machine; for tests. */
  readonly host?: string;
}

export interface StoreLock {
  readonly owner: LockOwner;
  /** Gives the store free. Safe to call twice. */
  release(): void;
}

const HEARTBEAT_MS = 2000;
const STALE_MS = 15_000;

/**
 * Takes the right to be the one process that uses a store.
 *
 * Two layers. The truth on one machine is a lock of the operating system on `PATH.guard` (SQLite's own exclusive file
 * lock on an empty database): it cannot be raced for, and the system frees it when the owner dies, kill -9 included,
 * so neither a reused pid nor a hung owner misleads anyone. What people and other machines read is the lock file: pid,
 * host, program, start and, as its modification time, a heartbeat; another machine's owner, which the system's lock
 * may not reach, is dead when the heartbeat is old.
 *
 * @throws AppError StoreLocked with one sentence that names the owner.
 */
export function acquireLock(options: LockOptions): StoreLock {
  const { path } = options;
  const host = options.host ?? hostname();
  mkdirSync(dirname(path), { recursive: true });
  const guard = takeGuard(`${path}.guard`);
  if (guard === null) throw storeLocked(livingOwner(path, host), path);
  const previous = readOwner(path);
  if (previous !== null && previous.host !== host && heartbeatAgeMs(path) < (options.staleMs ?? STALE_MS)) {
    guard.close();
    throw storeLocked(previous, path);
  }
  const owner: LockOwner = { pid: process.pid, host, program: options.program, startedAtMs: Date.now() };
  try {
    writeOwner(path, owner);
  } catch (error) {
    guard.close();
    throw error;
  }
  const timer = setInterval(() => beat(path, owner), options.heartbeatMs ?? HEARTBEAT_MS);
  timer.unref();
  return {
    owner,
    release: () => {
      clearInterval(timer);
      if (!guard.open) return;
      rmSync(path, { force: true });
      guard.close();
    },
  };
}

/** Holds the system's lock as long as the returned connection is open; null where another holds it. */
function takeGuard(path: string): Database.Database | null {
  const guard = new Database(path, { timeout: 0 });
  try {
    guard.exec('BEGIN EXCLUSIVE');
    return guard;
  } catch (error) {
    guard.close();
    if (error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY')) return null;
    throw error;
  }
}

/** Who the lock file names; null where there is none or it cannot be read. */
export function readOwner(path: string): LockOwner | null {
  try {
    const read = JSON.parse(readFileSync(path, 'utf8')) as Partial<LockOwner>;
    const { pid, host, program, startedAtMs } = read;
    if (typeof pid !== 'number' || typeof host !== 'string') return null;
    return { pid, host, program: program ?? 'another program', startedAtMs: startedAtMs ?? 0 };
  } catch {
    return null;
  }
}

/** The owner the lock file names. A winner of this very moment may not have written its name yet: it is given a while. */
function livingOwner(path: string, host: string): LockOwner | null {
  const clock = new Int32Array(new SharedArrayBuffer(4));
  for (let attempt = 0; attempt < 20; attempt++) {
    const owner = readOwner(path);
    if (owner !== null && (owner.host !== host || isAlive(owner.pid))) return owner;
    Atomics.wait(clock, 0, 0, 25);
  }
  return null;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function heartbeatAgeMs(path: string): number {
  const mtimeMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  return mtimeMs === undefined ? Number.POSITIVE_INFINITY : Date.now() - mtimeMs;
}

/** Written under another name first: a reader sees the old text or the new, never half of one. */
function writeOwner(path: string, owner: LockOwner): void {
  const unfinished = `${path}.${owner.pid}`;
  writeFileSync(unfinished, `${JSON.stringify(owner)}\n`);
  renameSync(unfinished, path);
}

function beat(path: string, owner: LockOwner): void {
  try {
    const now = new Date();
    utimesSync(path, now, now);
  } catch {
    tryWriteOwner(path, owner);
  }
}

/** A heartbeat that cannot be written (full disk) must not end the program: the system's lock still holds. */
function tryWriteOwner(path: string, owner: LockOwner): void {
  try {
    writeOwner(path, owner);
  } catch {
    rmSync(`${path}.${owner.pid}`, { force: true });
  }
}

function storeLocked(owner: LockOwner | null, path: string): AppError {
  const who =
    owner === null
      ? 'another program'
      : `${owner.program}, process ${owner.pid}${owner.host === hostname() ? '' : ` on ${owner.host}`}, since ${timeOf(owner.startedAtMs)}`;
  return new AppError('StoreLocked', `The store is in use by ${who}.`, {
    advice: 'Close that program first, or choose another store with --store or HYALINE_STORE.',
    detail: path,
  });
}

/** Local time to the minute, `2026-11-21 22:10`. */
function timeOf(ms: number): string {
  const date = new Date(ms);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}
