import { expose } from 'comlink';
import type { EngineApi } from '../api/engine.ts';
import { ENGINE_METHODS } from '../api/engine-methods.ts';
import type { EngineEvent } from '../api/events.ts';
import { AppError, toErrorPayload } from '../errors.ts';
import { asComlinkEndpoint } from './comlink-endpoint.ts';
import type { RpcEndpoint } from './endpoint.ts';
import { guardEndpoint } from './guard.ts';
import { jsonDefect, RESULT_BOUNDS } from './json-safe.ts';
import type { EventMessage, Outcome } from './protocol.ts';

type AnyMethod = (...args: unknown[]) => Promise<unknown>;

/**
 * Serves an engine to one client over a guarded endpoint until the endpoint closes or the returned function is called.
 * @param subscribe registers a listener for engine events and returns the function that ends it; every event is pushed
 *   to the client as a message of its own.
 */
export function serveEngine(
  api: EngineApi,
  endpoint: RpcEndpoint,
  subscribe: (listener: (event: EngineEvent) => void) => () => void,
): () => void {
  expose(methodTable(api), asComlinkEndpoint(guardEndpoint(endpoint, ENGINE_METHODS)));
  const unsubscribe = subscribe((event) => {
    const message: EventMessage = { event };
    endpoint.send(message);
  });
  const stop = (): void => {
    unsubscribe();
    endpoint.close();
  };
  endpoint.onClose(unsubscribe);
  return stop;
}

/** The allowed methods and nothing else, on an object without a prototype. */
function methodTable(api: EngineApi): object {
  const table: Record<string, (...args: unknown[]) => Promise<Outcome>> = Object.create(null);
  for (const name of ENGINE_METHODS) {
    table[name] = async (...args) => {
      try {
        // The engine checks its arguments itself: at this boundary their types are only a promise.
        const value = await (api[name] as AnyMethod).apply(api, args);
        const defect = jsonDefect(value, RESULT_BOUNDS);
        if (defect !== null) {
          throw new AppError('Internal', 'Something went wrong inside Hyaline.', {
            detail: `${name} answered with ${defect}`,
          });
        }
        return { ok: true, value };
      } catch (error) {
        return { ok: false, error: toErrorPayload(error) };
      }
    };
  }
  return Object.freeze(table);
}
