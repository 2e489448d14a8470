import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { connectEngine } from '../../../src-shared/rpc/client.ts';
import { pipeEndpoints } from '../../../src-shared/rpc/endpoint.ts';
import { openSocketEndpoint, socketEndpoint } from '../../../src-shared/rpc/socket-endpoint.ts';
import { createEngine } from '../../engine/create-engine.ts';
import { installation } from '../installation.ts';
import { engineConformance, type ReachedEngine } from '../testing/conformance.ts';
import { EngineSupervisor } from './engine-supervisor.ts';

const { resourcesFolder, engineThread } = installation;

engineConformance('directly', async (storeFolder): Promise<ReachedEngine> => {
  const engine = await createEngine({ storeFolder, resourcesFolder, host: 'web', threads: 1 });
  return {
    engine: engine.api,
    onEvent: (listener) => engine.subscribe(listener),
    grant: (path) => engine.grant(path),
    get: (path) => engine.handle({ method: 'GET', path }),
    close: () => engine.close(),
  };
});

async function supervised(storeFolder: string): Promise<EngineSupervisor> {
  const supervisor = new EngineSupervisor({
    start: { storeFolder, resourcesFolder, host: 'web', threads: 1 },
    entry: engineThread,
    log: () => undefined,
  });
  await supervisor.start();
  return supervisor;
}

engineConformance('over a MessagePort', async (storeFolder): Promise<ReachedEngine> => {
  const supervisor = await supervised(storeFolder);
  const connection = connectEngine(supervisor.connect());
  return {
    engine: connection.engine,
    onEvent: (listener) => connection.onEvent(listener),
    grant: (path) => supervisor.grant(path),
    get: (path) => supervisor.request({ method: 'GET', path }),
    close: () => supervisor.close(),
  };
});

engineConformance('over a WebSocket', async (storeFolder): Promise<ReachedEngine> => {
  const supervisor = await supervised(storeFolder);
  const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await new Promise((resolve) => sockets.once('listening', resolve));
  sockets.on('connection', (socket) => pipeEndpoints(socketEndpoint(socket), supervisor.connect()));
  const { port } = sockets.address() as AddressInfo;
  const connection = connectEngine(await openSocketEndpoint(new WebSocket(`ws://127.0.0.1:${port}`)));
  return {
    engine: connection.engine,
    onEvent: (listener) => connection.onEvent(listener),
    grant: (path) => supervisor.grant(path),
    get: (path) => supervisor.request({ method: 'GET', path }),
    async close() {
      connection.close();
      sockets.close();
      await supervisor.close();
    },
  };
});
