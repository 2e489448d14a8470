import { parseRoute, type RouteMatch } from '../../../src-shared/api/routes.ts';
import { AppError, type ErrorCode, toErrorPayload } from '../../../src-shared/errors.ts';
import type { EngineRequest, EngineResponse } from '../engine.ts';

/** What a route delivers: bytes with their type, and whether they may be kept by the client. */
export interface RouteBody {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  /** True for bytes that a content hash in the path makes unchangeable. */
  readonly immutable: boolean;
  /** Set for downloads: the name the file gets on the user's disk. */
  readonly fileName?: string;
}

/** One function per route; the composition of the engine supplies them. */
export type RouteTable = {
  readonly [Name in RouteMatch['route']]: (match: Extract<RouteMatch, { route: Name }>) => Promise<RouteBody>;
};

const STATUS: Partial<Record<ErrorCode, number>> = {
  NotFound: 404,
  SlideMoved: 404,
  NotAllowed: 403,
  InvalidRequest: 400,
  Internal: 500,
};

/**
 * The one Request -> Response handler behind app:// and http: never rejects; an error becomes its payload as JSON
 * with a matching status (422 where the file, not the request, is at fault).
 */
export function createHandler(table: RouteTable): (request: EngineRequest) => Promise<EngineResponse> {
  return async (request) => {
    try {
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        return errorResponse(405, new AppError('InvalidRequest', 'This address only answers GET.'));
      }
      const match = parseRoute(request.path);
      if (match === null) return errorResponse(404, new AppError('NotFound', 'There is nothing at this address.'));
      return bodyResponse(await dispatch(table, match));
    } catch (error) {
      const status = error instanceof AppError ? (STATUS[error.code] ?? 422) : 500;
      return errorResponse(status, error);
    }
  };
}

async function dispatch(table: RouteTable, match: RouteMatch): Promise<RouteBody> {
  const answer = table[match.route] as (match: RouteMatch) => Promise<RouteBody>;
  return await answer(match);
}

function bodyResponse(body: RouteBody): EngineResponse {
  const headers: Record<string, string> = {
    'content-type': body.mediaType,
    'content-length': String(body.bytes.byteLength),
    'cache-control': body.immutable ? 'private, max-age=31536000, immutable' : 'no-store',
  };
  if (body.fileName !== undefined) {
    headers['content-disposition'] = `attachment; filename*=UTF-8''${encodeURIComponent(body.fileName)}`;
  }
  return { status: 200, headers, body: body.bytes };
}

function errorResponse(status: number, error: unknown): EngineResponse {
  const body = new TextEncoder().encode(JSON.stringify(toErrorPayload(error)));
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(body.byteLength),
    'cache-control': 'no-store',
  };
  return { status, headers, body };
}
