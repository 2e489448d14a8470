import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
};

export interface StaticFile {
  readonly mediaType: string;
  /** True for files whose name holds a hash of their content. */
  readonly immutable: boolean;
  read(): Promise<Buffer>;
}

/**
 * The files of a folder by their URL path. They are listed once: a path outside the list does not exist, so no spelling
 * of a path can leave the folder. Links and files of unknown type are left out.
 * @throws when the folder cannot be read
 */
export function listStaticFiles(folder: string): ReadonlyMap<string, StaticFile> {
  const files = new Map<string, StaticFile>();
  const visit = (path: string, urlPath: string): void => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const filePath = join(path, entry.name);
      const mediaType = MEDIA_TYPES[extname(entry.name).toLowerCase()];
      if (entry.isDirectory()) {
        visit(filePath, `${urlPath}${entry.name}/`);
      } else if (entry.isFile() && mediaType !== undefined) {
        const immutable = /-[\w-]{8,}\.\w+$/.test(entry.name);
        files.set(`${urlPath}${entry.name}`, { mediaType, immutable, read: () => readFile(filePath) });
      }
    }
  };
  visit(folder, '/');
  return files;
}
