import type { FromEngine, ToEngine } from '../../../src-shared/api/engine-link.ts';
import { toErrorPayload } from '../../../src-shared/errors.ts';
import type { JobId } from '../../../src-shared/model/ids.ts';
import type { RpcEndpoint } from '../../../src-shared/rpc/endpoint.ts';
import { serveEngine } from '../../../src-shared/rpc/server.ts';
import type { Engine } from '../../engine/engine.ts';

/** The channel between the process or thread that runs the engine and the host that started it. */
export interface ParentLink {
  /** `transfer` names buffers that are given away with the message, where the channel can do that. */
  post(message: FromEngine, transfer?: readonly ArrayBuffer[]): void;
  /** The endpoint is there with `connect` and only then. */
  onMessage(listener: (message: ToEngine, client: RpcEndpoint | null) => void): void;
}

/**
 * Starts an engine and serves it to the host until the host asks it to close. A start that fails is reported as
 * `failed`; everything after that is answered in the order it is done, not asked.
 * @param exit ends the process or thread, called once the engine is closed or has failed to start.
 */
export async function serveLink(link: ParentLink, create: () => Promise<Engine>, exit: () => void): Promise<void> {
  const early: [ToEngine, RpcEndpoint | null][] = [];
  let engine: Engine | null = null;
  const stops = new Set<() => void>();
  const receive = (message: ToEngine, client: RpcEndpoint | null): void => {
    if (engine === null) {
      early.push([message, client]);
    } else {
      answer(link, engine, stops, message, client, exit);
    }
  };
  link.onMessage(receive);
  try {
    const started = await create();
    started.subscribe((event) => link.post({ type: 'event', event }));
    engine = started;
  } catch (error) {
    link.post({ type: 'failed', error: toErrorPayload(error) });
    exit();
    return;
  }
  link.post({ type: 'ready' });
  for (const [message, client] of early) {
    receive(message, client);
  }
}

function answer(
  link: ParentLink,
  engine: Engine,
  stops: Set<() => void>,
  message: ToEngine,
  client: RpcEndpoint | null,
  exit: () => void,
): void {
  switch (message.type) {
    case 'connect':
      if (client !== null) {
        const stop = serveEngine(engine.api, client, (listener) => engine.subscribe(listener));
        stops.add(stop);
        client.onClose(() => stops.delete(stop));
      }
      return;
    case 'route':
      void route(link, engine, message);
      return;
    case 'grant':
      try {
        link.post({ type: 'granted', id: message.id, grant: engine.grant(message.path) });
      } catch (error) {
        link.post({ type: 'refused', id: message.id, error: toErrorPayload(error) });
      }
      return;
    case 'resume':
      void resume(engine, message.jobIds);
      return;
    case 'close':
      void close(link, engine, stops).finally(exit);
      return;
    default:
      message satisfies never;
  }
}

async function route(
  link: ParentLink,
  engine: Engine,
  { id, method, path }: Extract<ToEngine, { type: 'route' }>,
): Promise<void> {
  const { status, headers, body: shared } = await engine.handle({ method, path });
  // A copy of its own: the engine may keep the bytes in a cache, and a view would drag its whole buffer along.
  const body = new Uint8Array(shared);
  link.post({ type: 'routed', id, response: { status, headers, body } }, [body.buffer]);
}

async function resume(engine: Engine, jobIds: readonly JobId[]): Promise<void> {
  for (const jobId of jobIds) {
    // A job that cannot go on says so itself, as a failed job in the list.
    await engine.api.resumeJob(jobId).catch(() => undefined);
  }
}

async function close(link: ParentLink, engine: Engine, stops: Set<() => void>): Promise<void> {
  for (const stop of stops) {
    stop();
  }
  try {
    await engine.close();
  } finally {
    link.post({ type: 'closed' });
  }
}
