import { readdir, readFile } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';
import { AppError } from '../../../src-shared/errors.ts';

export interface StaticFile {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
};

/**
 * The built renderer by request path, read once: a request can only name a file of this table, so no path leads out of
 * the folder. `/` is index.html.
 * @throws AppError NotFound where the renderer has not been built.
 */
export async function loadStaticFiles(folder: string): Promise<ReadonlyMap<string, StaticFile>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = new Map<string, StaticFile>();
  for (const entry of entries) {
    const mediaType = MEDIA_TYPES[extname(entry.name)];
    if (!entry.isFile() || mediaType === undefined) {
      continue;
    }
    const path = join(entry.parentPath, entry.name);
    const urlPath = `/${relative(folder, path).split(sep).join('/')}`;
    // Vite puts a hash of the content into the names under assets/: those never change.
    const cache = urlPath.startsWith('/assets/') ? 'private, max-age=31536000, immutable' : 'no-cache';
    files.set(urlPath === '/index.html' ? '/' : urlPath, {
      headers: { 'Content-Type': mediaType, 'Cache-Control': cache },
      body: await readFile(path),
    });
  }
  if (!files.has('/')) {
    throw new AppError('NotFound', 'The interface has not been built.', { advice: 'Run npm run build.' });
  }
  return files;
}
