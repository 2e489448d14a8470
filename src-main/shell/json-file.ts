import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { z } from 'zod';

/** The value of a small JSON file; the fallback where the file is absent, damaged or of another shape. */
export function readJsonFile<T>(path: string, schema: z.ZodType<T>, fallback: T): T {
  try {
    return schema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return fallback;
  }
}

/**
 * Replaces a small JSON file in one step. What is kept this way (window places, recent files) is a convenience: a full
 * disk or a read-only folder must not stop the application, so failures are reported as `false`.
 */
export function writeJsonFile(path: string, value: unknown): boolean {
  const draft = `${path}.${process.pid}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(draft, JSON.stringify(value), { mode: 0o600 });
    renameSync(draft, path);
    return true;
  } catch {
    return false;
  }
}
