import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { routes } from '../../../src-shared/api/routes.ts';
import { AppError } from '../../../src-shared/errors.ts';
import { pipeEndpoints } from '../../../src-shared/rpc/endpoint.ts';
import { socketEndpoint } from '../../../src-shared/rpc/socket-endpoint.ts';
import type { EngineSupervisor } from '../engine/engine-supervisor.ts';
import { AccessControl } from './access.ts';
import { notFound, send, sendError, sendRefusal } from './responses.ts';
import type { StaticFile } from './static-files.ts';
import { receiveUpload, removePartialUploads } from './upload.ts';

export interface WebServerOptions {
  readonly engine: Pick<EngineSupervisor, 'request' | 'grant' | 'connect'>;
  readonly files: ReadonlyMap<string, StaticFile>;
  readonly storeFolder: string;
  /** Address to listen on. */
  readonly bindAddress: string;
  /** 0 = any free port. */
  readonly port: number;
}

export interface WebServer {
  /** Where to open the interface, one-time token included. */
  readonly openingUrl: string;
  readonly port: number;
  close(): Promise<void>;
}

const UPLOAD_PREFIX = routes.upload('');
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
/** WebSocket close code for "the server is restarting": the page connects again. */
const SERVICE_RESTART = 1012;
const FAREWELL_MS = 1000;

/**
 * Serves interface, routes, uploads and the engine's socket on one port.
 * @throws AppError InvalidRequest where the address or port cannot be listened on.
 */
export async function startWebServer(options: WebServerOptions): Promise<WebServer> {
  const importedFolder = join(options.storeFolder, 'imported');
  await removePartialUploads(importedFolder);
  const server = createServer();
  const port = await listen(server, options.bindAddress, options.port);
  const access = new AccessControl(options.bindAddress, port);
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES });
  // Large slides over a slow tunnel take longer than Node's default of five minutes.
  server.requestTimeout = 0;
  server.on('request', (request, response) => {
    answer(request, response, options, access, importedFolder).catch((error: unknown) => {
      if (response.headersSent) {
        response.destroy();
      } else {
        sendError(response, error);
      }
    });
  });
  server.on('upgrade', (request, socket, head) => upgrade(request, socket, head, options, access, sockets));
  return {
    openingUrl: `http://${shownHost(options.bindAddress)}:${port}/?token=${access.token}`,
    port,
    async close() {
      for (const client of sockets.clients) {
        client.close(SERVICE_RESTART);
        // A sleeping page does not answer the farewell.
        setTimeout(() => client.terminate(), FAREWELL_MS).unref();
      }
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: WebServerOptions,
  access: AccessControl,
  importedFolder: string,
): Promise<void> {
  const refusal = access.checkSender(request);
  if (refusal !== null) {
    return sendRefusal(response, refusal);
  }
  const path = request.url ?? '/';
  const method = request.method ?? 'GET';
  const token = path.startsWith('/?') ? new URLSearchParams(path.slice(2)).get('token') : null;
  if (token !== null && method === 'GET') {
    return openSession(request, response, access, token);
  }
  if (!access.hasSession(request)) {
    return sendRefusal(response, 'no-session');
  }
  if (method === 'PUT' && path.startsWith(UPLOAD_PREFIX)) {
    const strict = access.checkStrict(request);
    return strict === null ? upload(request, response, path, options, importedFolder) : sendRefusal(response, strict);
  }
  if (method !== 'GET' && method !== 'HEAD') {
    throw new AppError('NotAllowed', 'This kind of request is not allowed here.');
  }
  const file = options.files.get(path.split('?', 1)[0] ?? '/');
  if (file !== undefined) {
    return send(response, 200, file.headers, file.body);
  }
  const { status, headers, body } = await options.engine.request({ method: 'GET', path });
  send(response, status, headers, body);
}

/** The token becomes the cookie, and the redirect takes it out of the address bar and the history. */
function openSession(request: IncomingMessage, response: ServerResponse, access: AccessControl, token: string): void {
  const cookie = access.exchange(token);
  if (cookie === null && !access.hasSession(request)) {
    sendRefusal(response, 'no-session');
    return;
  }
  const headers = { Location: '/', 'Cache-Control': 'no-store' };
  send(response, 303, cookie === null ? headers : { ...headers, 'Set-Cookie': cookie }, '');
}

async function upload(
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  options: WebServerOptions,
  importedFolder: string,
): Promise<void> {
  let name: string;
  try {
    name = decodeURIComponent(path.slice(UPLOAD_PREFIX.length).split('?', 1)[0] ?? '');
  } catch {
    throw notFound();
  }
  const stored = await receiveUpload(request, name, importedFolder);
  const grant = await options.engine.grant(stored);
  send(response, 201, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }, JSON.stringify({ grant }));
}

function upgrade(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  options: WebServerOptions,
  access: AccessControl,
  sockets: WebSocketServer,
): void {
  // Without a listener a reset during the handshake would end the process.
  socket.on('error', () => socket.destroy());
  if (request.url !== routes.socket || access.checkStrict(request) !== null) {
    socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    return;
  }
  sockets.handleUpgrade(request, socket, head, (client) => {
    client.on('error', () => client.terminate());
    try {
      const engine = options.engine.connect();
      const page = socketEndpoint(client);
      engine.onClose(() => client.close(SERVICE_RESTART, 'the engine stopped'));
      pipeEndpoints(page, engine);
    } catch {
      client.close(SERVICE_RESTART, 'the engine is not running');
    }
  });
}

/** The name others reach this machine by: every address at once is none to open. */
function shownHost(bindAddress: string): string {
  if (bindAddress === '0.0.0.0' || bindAddress === '::') {
    return hostname();
  }
  return bindAddress.includes(':') ? `[${bindAddress}]` : bindAddress;
}

function listen(server: Server, address: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new AppError('InvalidRequest', `Hyaline cannot listen on ${address}, port ${port}.`, {
          advice: error.code === 'EADDRINUSE' ? 'The port is in use: choose another one with --port.' : 'Check --host.',
          detail: error.message,
        }),
      ),
    );
    server.listen(port, address, () => resolve((server.address() as AddressInfo).port));
  });
}
