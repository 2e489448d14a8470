import { AppError } from '../errors.ts';
import { EndpointListeners, type RpcEndpoint } from './endpoint.ts';

/** What a browser's WebSocket and the `ws` package's have in common, as far as it is used here. */
export interface SocketLike {
  readonly readyState: number;
  send(data: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: { code: number; reason: string }) => void): void;
  addEventListener(type: 'open' | 'error', listener: () => void): void;
}

const OPEN = 1;
const CLOSED = 3;
const POLICY_VIOLATION = 1008;

/** An endpoint over an open WebSocket; messages travel as JSON text. What is not JSON text ends the connection. */
export function socketEndpoint(socket: SocketLike): RpcEndpoint {
  const listeners = new EndpointListeners();
  socket.addEventListener('message', ({ data }) => {
    let message: unknown;
    try {
      if (typeof data !== 'string') {
        throw new TypeError('not text');
      }
      message = JSON.parse(data);
    } catch {
      socket.close(POLICY_VIOLATION, 'not JSON');
      return;
    }
    listeners.emitMessage(message);
  });
  socket.addEventListener('close', ({ code, reason }) => listeners.emitClose(reason || `socket closed (${code})`));
  if (socket.readyState === CLOSED) {
    listeners.emitClose('socket closed');
  }
  return {
    send(message) {
      if (socket.readyState === OPEN) {
        socket.send(JSON.stringify(message));
      }
    },
    onMessage: (listener) => listeners.onMessage(listener),
    onClose: (listener) => listeners.onClose(listener),
    close() {
      socket.close();
      listeners.emitClose('closed here');
    },
  };
}

/**
 * Waits for a connecting WebSocket to open.
 * @throws AppError EngineCrashed where it closes first (refused, wrong origin, engine not running).
 */
export function openSocketEndpoint(socket: SocketLike): Promise<RpcEndpoint> {
  return new Promise((resolve, reject) => {
    socket.addEventListener('open', () => resolve(socketEndpoint(socket)));
    socket.addEventListener('error', () => undefined);
    socket.addEventListener('close', ({ code, reason }) =>
      reject(
        new AppError('EngineCrashed', 'The engine cannot be reached.', {
          advice: 'Check that Hyaline is still running, then open the address it printed again.',
          detail: reason || `socket closed (${code})`,
        }),
      ),
    );
    if (socket.readyState === OPEN) {
      resolve(socketEndpoint(socket));
    }
  });
}
