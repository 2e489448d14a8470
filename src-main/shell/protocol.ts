import { CONTENT_SECURITY_POLICY } from '../../src-shared/api/content-security-policy.ts';
import type { RoutedResponse } from '../../src-shared/api/engine-link.ts';
import { parseRoute } from '../../src-shared/api/routes.ts';
import { toErrorPayload } from '../../src-shared/errors.ts';
import type { ShellProtocol } from './electron.ts';
import type { StaticFile } from './static-files.ts';

export const APP_SCHEME = 'app';
export const APP_HOST = 'hyaline';
/** The one origin of the application. */
export const APP_ORIGIN = `${APP_SCHEME}://${APP_HOST}`;

/** What every answer carries, whatever it is. */
const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
};

/** Makes `app:` a standard, secure scheme with fetch. Electron allows this once, before it is ready. */
export function registerAppScheme(protocol: Pick<ShellProtocol, 'registerSchemesAsPrivileged'>): void {
  protocol.registerSchemesAsPrivileged([
    { scheme: APP_SCHEME, privileges: { standard: true, secure: true, supportFetchAPI: true, codeCache: true } },
  ]);
}

export interface AppContent {
  readonly files: ReadonlyMap<string, StaticFile>;
  /** Asks the engine; its handler answers errors as JSON. Rejects when the engine is not there. */
  route(method: string, path: string): Promise<RoutedResponse>;
}

/**
 * Answers `app://hyaline/…`: the renderer's files, and the engine's routes. Bodies are whole and carry their length:
 * streams are slow through `protocol.handle`.
 */
export function createAppHandler(content: AppContent): (request: Request) => Promise<Response> {
  return async (request) => {
    const url = URL.parse(request.url);
    if (url === null || url.protocol !== `${APP_SCHEME}:` || url.host !== APP_HOST || url.username !== '') {
      return refuse(403, 'Not of this application.');
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return refuse(405, 'Only GET and HEAD are answered.', { allow: 'GET, HEAD' });
    }
    const path = decodePath(url.pathname);
    if (path === null) return refuse(400, 'The address is not well formed.');
    const withBody = request.method === 'GET';
    if (parseRouteSafely(url) !== null)
      return routed(content, request.method, `${url.pathname}${url.search}`, withBody);
    const file = content.files.get(path === '/' ? '/index.html' : path);
    return file === undefined ? refuse(404, 'There is nothing at this address.') : serveFile(file, withBody);
  };
}

/** The decoded path, or null for one that hides a separator, a parent folder or a control character. */
export function decodePath(pathname: string): string | null {
  if (!pathname.startsWith('/') || /%2f|%5c|\\/i.test(pathname)) return null;
  let path: string;
  try {
    path = decodeURIComponent(pathname);
  } catch {
    return null;
  }
  const strange = [...path].some((character) => character < ' ' || character === '\\' || character === ':');
  return strange || path.split('/').some((part) => part === '..' || part === '.') ? null : path;
}

function parseRouteSafely(url: URL): ReturnType<typeof parseRoute> {
  try {
    return parseRoute(`${url.pathname}${url.search}`);
  } catch {
    return null;
  }
}

async function routed(content: AppContent, method: string, path: string, withBody: boolean): Promise<Response> {
  try {
    const answer = await content.route(method, path);
    return reply(answer.status, answer.headers, withBody ? answer.body : null, answer.body.byteLength);
  } catch (error) {
    const body = Buffer.from(JSON.stringify(toErrorPayload(error)));
    return reply(503, { 'content-type': 'application/json' }, withBody ? body : null, body.byteLength);
  }
}

async function serveFile(file: StaticFile, withBody: boolean): Promise<Response> {
  const bytes = await file.read();
  const caching = file.immutable ? 'public, max-age=31536000, immutable' : 'no-cache';
  const headers = { 'content-type': file.mediaType, 'cache-control': caching };
  return reply(200, headers, withBody ? bytes : null, bytes.byteLength);
}

function refuse(status: number, sentence: string, headers: Readonly<Record<string, string>> = {}): Response {
  const body = Buffer.from(`${sentence}\n`);
  return reply(status, { 'content-type': 'text/plain; charset=utf-8', ...headers }, body, body.byteLength);
}

function reply(
  status: number,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array | null,
  bodyLength: number,
): Response {
  // The security headers come last: an answer of the engine cannot weaken them.
  const all = new Headers({ ...headers, 'content-length': String(bodyLength) });
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) all.set(name, value);
  return new Response(body as Uint8Array<ArrayBuffer> | null, { status, headers: all });
}
