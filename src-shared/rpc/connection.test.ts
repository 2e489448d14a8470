import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MessageChannel } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import type { EngineEvent } from '../api/events.ts';
import { hasCode } from '../errors.ts';
import { asId, type BackboneId, type JobId, type SlideId } from '../model/ids.ts';
import { connectEngine, type EngineConnection } from './client.ts';
import { type EmitterPort, portEndpoint } from './port-endpoint.ts';
import { serveEngine } from './server.ts';
import { openSocketEndpoint, socketEndpoint } from './socket-endpoint.ts';
import { type FakeEngine, fakeEngine } from './testing/fake-engine.ts';

interface Opened {
  readonly connection: EngineConnection;
  /** Ends the connection from the server's side, as a crash would. */
  crash(): void;
  dispose(): Promise<void>;
}

async function overPort(engine: FakeEngine): Promise<Opened> {
  const { port1, port2 } = new MessageChannel();
  serveEngine(engine.api, portEndpoint(port1), engine.subscribe);
  const connection = connectEngine(portEndpoint(port2));
  return { connection, crash: () => port1.close(), dispose: async () => port2.close() };
}

/** Electron's MessagePortMain: an emitter whose messages come as events with `data`. */
async function overEmitterPort(engine: FakeEngine): Promise<Opened> {
  const { port1, port2 } = new MessageChannel();
  const main: EmitterPort = {
    postMessage: (message) => port1.postMessage(message),
    on: (type: string, listener: (event: { data: unknown }) => void) =>
      type === 'message'
        ? port1.on('message', (data) => listener({ data }))
        : port1.on('close', listener as () => void),
    start: () => port1.start(),
    close: () => port1.close(),
  };
  serveEngine(engine.api, portEndpoint(main), engine.subscribe);
  const connection = connectEngine(portEndpoint(port2));
  return { connection, crash: () => port1.close(), dispose: async () => port2.close() };
}

async function overSocket(engine: FakeEngine): Promise<Opened> {
  const http = createServer();
  const sockets = new WebSocketServer({ server: http });
  sockets.on('connection', (socket) => serveEngine(engine.api, socketEndpoint(socket), engine.subscribe));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as AddressInfo;
  const endpoint = await openSocketEndpoint(new WebSocket(`ws://127.0.0.1:${port}`));
  return {
    connection: connectEngine(endpoint),
    crash: () => {
      for (const client of sockets.clients) {
        client.terminate();
      }
    },
    dispose: async () => {
      endpoint.close();
      sockets.close();
      http.closeAllConnections();
      http.close();
    },
  };
}

describe.each([
  ['MessagePort', overPort],
  ['MessagePortMain', overEmitterPort],
  ['WebSocket', overSocket],
])('an engine over %s', (_name, open) => {
  let engine = fakeEngine();
  let opened: Opened;
  beforeEach(async () => {
    engine = fakeEngine();
    opened = await open(engine);
  });
  afterEach(() => opened.dispose());

  it('carries calls and answers', async () => {
    const api = opened.connection.engine;
    await expect(api.setSetting('theme', 'light')).resolves.toBeUndefined();
    await expect(api.getSetting('theme')).resolves.toBe('light');
    await expect(api.getSetting('none')).resolves.toBeNull();
    await expect(api.listSlides()).resolves.toEqual([]);
  });

  it('drops undefined fields of an argument on every transport alike', async () => {
    const edits = { name: 'ä\u0000"', licence: undefined } as unknown as { name: string };
    const card: unknown = await opened.connection.engine.editBackbone(asId<BackboneId>('b'), edits);
    expect(card).toEqual({ id: 'b', edits: { name: 'ä\u0000"' } });
  });

  it('revives errors with code, advice and detail', async () => {
    const error = await opened.connection.engine.getSlide(asId<SlideId>('x')).catch((thrown: unknown) => thrown);
    expect(hasCode(error, 'NotFound')).toBe(true);
    expect(error).toMatchObject({
      message: 'This slide is not in the library.',
      advice: 'Open its file.',
      detail: 'x',
    });
  });

  it('turns a fault of the engine into Internal', async () => {
    await expect(opened.connection.engine.listJobs()).rejects.toMatchObject({ code: 'Internal' });
  });

  it('refuses an answer that JSON would not carry', async () => {
    await expect(opened.connection.engine.listRuns(null)).rejects.toMatchObject({ code: 'Internal' });
  });

  it('delivers events in order until told to stop', async () => {
    const seen: EngineEvent[] = [];
    const stop = opened.connection.onEvent((event) => seen.push(event));
    engine.emit({ type: 'library-changed' });
    engine.emit({ type: 'backbones-changed' });
    await opened.connection.engine.listSlides();
    stop();
    engine.emit({ type: 'library-changed' });
    await opened.connection.engine.listSlides();
    expect(seen.map((event) => event.type)).toEqual(['library-changed', 'backbones-changed']);
  });

  it('rejects calls in flight, and later ones, as EngineCrashed when the engine goes', async () => {
    const hanging = opened.connection.engine.cancelJob(asId<JobId>('j'));
    const caught = hanging.catch((error: unknown) => error);
    await opened.connection.engine.listSlides();
    const closed = new Promise((resolve) => opened.connection.onClose(resolve));
    opened.crash();
    expect(hasCode(await caught, 'EngineCrashed')).toBe(true);
    await closed;
    await expect(opened.connection.engine.listSlides()).rejects.toMatchObject({ code: 'EngineCrashed' });
  });

  it('stops listening to the engine when the client goes', async () => {
    await opened.connection.engine.listSlides();
    expect(engine.listenerCount()).toBe(1);
    opened.connection.close();
    await expect.poll(() => engine.listenerCount()).toBe(0);
  });
});

describe('the socket', () => {
  it('refuses what is not JSON by closing', async () => {
    const engine = fakeEngine();
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    server.on('connection', (socket) => serveEngine(engine.api, socketEndpoint(socket), engine.subscribe));
    await new Promise((resolve) => server.once('listening', resolve));
    const socket = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const code = new Promise((resolve) => socket.addEventListener('close', (event) => resolve(event.code)));
    socket.addEventListener('open', () => socket.send('{"id":'));
    expect(await code).toBe(1008);
    server.close();
  });

  it('says that the engine cannot be reached where nothing listens', async () => {
    const endpoint = openSocketEndpoint(new WebSocket('ws://127.0.0.1:9'));
    await expect(endpoint).rejects.toMatchObject({ code: 'EngineCrashed' });
  });
});
