import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

const MAX_LOG_BYTES = 1024 * 1024;

/** Writes a line to the local log. Lines hold codes and reasons, never paths, labels or names of files. */
export type Log = (line: string) => void;

/** A log in a file, which starts anew (keeping one older file) at 1 MB. Never throws. */
export function fileLog(file: string): Log {
  return (line) => {
    try {
      mkdirSync(dirname(file), { recursive: true });
      if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > MAX_LOG_BYTES) renameSync(file, `${file}.old`);
      appendFileSync(file, `${new Date().toISOString()} ${line}\n`, { mode: 0o600 });
    } catch {
      // A log that cannot be written must not take the application down.
    }
  };
}
