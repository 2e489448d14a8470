import type { ServerResponse } from 'node:http';
import { CONTENT_SECURITY_POLICY } from '../../../src-shared/api/content-security-policy.ts';
import { AppError, type ErrorCode, toErrorPayload } from '../../../src-shared/errors.ts';
import type { Refusal } from './access.ts';

/** Sent with every answer, whatever it is. */
const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': CONTENT_SECURITY_POLICY,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
};

const REFUSALS: Readonly<Record<Refusal, string>> = {
  'wrong-host': 'Hyaline answers only under the address it was opened with.',
  'wrong-origin': 'Another page tried to reach Hyaline; it answers only its own.',
  'no-session':
    'This browser may not open Hyaline. The address it prints at its start, token included, opens it once: go on in the browser that was first, or start Hyaline again.',
};

const STATUS: Partial<Record<ErrorCode, number>> = {
  InvalidRequest: 400,
  NotAllowed: 403,
  NotFound: 404,
  EngineCrashed: 503,
  DiskFull: 507,
};

/** Sends a whole body with the security headers; HEAD gets the headers only. */
export function send(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array | string,
): void {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  response.writeHead(status, { ...headers, ...SECURITY_HEADERS, 'Content-Length': bytes.byteLength });
  response.end(response.req.method === 'HEAD' ? undefined : bytes);
}

export function sendRefusal(response: ServerResponse, refusal: Refusal): void {
  const headers = { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store', Connection: 'close' };
  send(response, 403, headers, `${REFUSALS[refusal]}\n`);
}

/** An error as JSON (ErrorPayload) with a status that fits its code. The connection ends: a body may be half read. */
export function sendError(response: ServerResponse, error: unknown): void {
  const payload = toErrorPayload(error);
  const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', Connection: 'close' };
  send(response, STATUS[payload.code] ?? 500, headers, JSON.stringify(payload));
}

export function notFound(): AppError {
  return new AppError('NotFound', 'There is nothing at this address.');
}
