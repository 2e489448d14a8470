import { routes } from '../../src-shared/api/routes.ts';
import { isEnginePortMessage, type ShellApi } from '../../src-shared/api/shell.ts';
import { AppError } from '../../src-shared/errors.ts';
import { connectEngine, type EngineConnection } from '../../src-shared/rpc/client.ts';
import { portEndpoint } from '../../src-shared/rpc/port-endpoint.ts';
import { openSocketEndpoint } from '../../src-shared/rpc/socket-endpoint.ts';

/** One way to reach an engine. `connect` rejects with an AppError. */
export interface Transport {
  connect(): Promise<EngineConnection>;
}

/** Served over http: a WebSocket of the same origin. */
export const webTransport: Transport = {
  async connect() {
    const address = new URL(routes.socket, location.href);
    address.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
    try {
      return connectEngine(await openSocketEndpoint(new WebSocket(address)));
    } catch (error) {
      throw (await refusal()) ?? error;
    }
  },
};

/** A socket does not say why it was refused; the page's own address does. */
async function refusal(): Promise<AppError | null> {
  try {
    const { status } = await fetch('/', { method: 'HEAD', cache: 'no-store' });
    if (status !== 401 && status !== 403) return null;
  } catch {
    return null;
  }
  return new AppError('NotAllowed', 'This page no longer has the right to use the engine.', {
    advice: 'Open the address that Hyaline printed when it started; each start makes a new one.',
  });
}

/** Under Electron: a MessagePort that the preload script hands over. */
export function electronTransport(shell: ShellApi): Transport {
  return {
    async connect() {
      const port = receivePort();
      await shell.connectEngine();
      return connectEngine(portEndpoint(await port));
    },
  };
}

const PORT_WAIT_MS = 10_000;

function receivePort(): Promise<MessagePort> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      removeEventListener('message', listen);
    };
    const timer = setTimeout(() => {
      stop();
      reject(new AppError('EngineCrashed', 'The engine does not answer.', { advice: 'It is being started again.' }));
    }, PORT_WAIT_MS);
    const listen = (event: MessageEvent): void => {
      const [port] = event.ports;
      const own = event.source === window && event.origin === location.origin;
      if (!own || port === undefined || !isEnginePortMessage(event.data)) return;
      stop();
      resolve(port);
    };
    addEventListener('message', listen);
  });
}
