import { type MessagePort, parentPort } from 'node:worker_threads';
import type { EngineStart, ToEngine } from '../../../src-shared/api/engine-link.ts';
import { portEndpoint } from '../../../src-shared/rpc/port-endpoint.ts';
import type { ParentLink } from './link-server.ts';

/** What an engine thread is started with. */
export interface ThreadStart extends EngineStart {
  readonly host: 'web' | 'cli';
}

/** `connect` as it crosses to a worker thread: with the port beside it. */
export interface ConnectWithPort {
  readonly type: 'connect';
  readonly port: MessagePort;
}

/** The link of a worker thread to the thread that started it. */
export function threadLink(): ParentLink {
  const port = parentPort;
  if (port === null) {
    throw new Error('This file is the entry of a worker thread.');
  }
  return {
    post: (message, transfer = []) => port.postMessage(message, [...transfer]),
    onMessage: (listener) => {
      port.on('message', (message: ToEngine | ConnectWithPort) =>
        'port' in message ? listener({ type: 'connect' }, portEndpoint(message.port)) : listener(message, null),
      );
    },
  };
}
