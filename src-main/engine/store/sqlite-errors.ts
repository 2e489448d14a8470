import Database from 'better-sqlite3';
import { AppError } from '../../../src-shared/errors.ts';

/** Where a store keeps the copies made before each migration; named in advice. */
export interface DamageAdvice {
  readonly backupFolder: string;
}

/** The error of a damaged store, with what the user can do. */
export function storeDamaged(what: string, advice: DamageAdvice, detail: string, cause?: unknown): AppError {
  return new AppError('StoreDamaged', what, {
    advice: `Close Hyaline and put a backup from ${advice.backupFolder} in its place, or start with another store.`,
    detail,
    cause,
  });
}

/** What SQLite threw, as an AppError; anything that is not SQLite's comes back as it is. */
export function translateSqliteError(error: unknown, advice: DamageAdvice): unknown {
  if (!(error instanceof Database.SqliteError)) return error;
  const detail = `${error.code}: ${error.message}`;
  const options = { detail, cause: error };
  if (error.code === 'SQLITE_FULL' || error.code === 'SQLITE_IOERR_WRITE' || error.code === 'SQLITE_IOERR_FSYNC') {
    return new AppError('DiskFull', 'The disk that holds the store is full: the last results could not be kept.', {
      ...options,
      advice: 'Free some space on that disk, then resume; nothing stored before is lost.',
    });
  }
  if (error.code.startsWith('SQLITE_CORRUPT') || error.code === 'SQLITE_NOTADB') {
    return storeDamaged('The store of Hyaline is damaged.', advice, detail, error);
  }
  if (error.code.startsWith('SQLITE_READONLY') || error.code === 'SQLITE_CANTOPEN') {
    return new AppError('StoreReadOnly', 'The store cannot be written: its folder or file is protected.', {
      ...options,
      advice: 'Check the rights of the folder, or choose another store.',
    });
  }
  if (error.code.startsWith('SQLITE_BUSY') || error.code.startsWith('SQLITE_LOCKED')) {
    return new AppError('StoreLocked', 'Another program is holding the file of the store.', {
      ...options,
      advice: 'Close programs that read the store (a database browser, a backup) and try again.',
    });
  }
  return error;
}

/** True where SQLite refused a row because another has the same key. */
export function isDuplicate(error: unknown): boolean {
  return (
    error instanceof Database.SqliteError &&
    (error.code === 'SQLITE_CONSTRAINT_UNIQUE' || error.code === 'SQLITE_CONSTRAINT_PRIMARYKEY')
  );
}

/** True where SQLite refused a row because what it refers to is not there. */
export function isOrphan(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code === 'SQLITE_CONSTRAINT_FOREIGNKEY';
}
