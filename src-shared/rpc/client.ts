import { wrap } from 'comlink';
import type { EngineApi } from '../api/engine.ts';
import { ENGINE_METHODS } from '../api/engine-methods.ts';
import type { EngineEvent } from '../api/events.ts';
import { AppError, fromErrorPayload } from '../errors.ts';
import { asComlinkEndpoint } from './comlink-endpoint.ts';
import type { RpcEndpoint } from './endpoint.ts';
import { isEventMessage, isOutcome } from './protocol.ts';

/** One connection to an engine. */
export interface EngineConnection {
  readonly engine: EngineApi;
  /** Calls the listener for every engine event until the returned function is called. */
  onEvent(listener: (event: EngineEvent) => void): () => void;
  /** Calls the listener once when the connection is lost or closed. */
  onClose(listener: (reason: string) => void): () => void;
  close(): void;
}

type RemoteMethod = (...args: unknown[]) => Promise<unknown>;

/**
 * Speaks to an engine over an open endpoint. Calls reject with the engine's own AppError (code and advice kept); calls
 * in flight when the connection ends, and calls made after it, reject with `EngineCrashed`.
 */
export function connectEngine(endpoint: RpcEndpoint): EngineConnection {
  const remote = wrap<Record<string, RemoteMethod>>(asComlinkEndpoint(endpoint)) as unknown as Record<
    string,
    RemoteMethod
  >;
  const inFlight = new Set<(error: AppError) => void>();
  const listeners = new Set<(event: EngineEvent) => void>();
  let closed = false;

  endpoint.onMessage((message) => {
    if (isEventMessage(message)) {
      for (const listener of [...listeners]) {
        listener(message.event);
      }
    }
  });
  endpoint.onClose((reason) => {
    closed = true;
    for (const reject of [...inFlight]) {
      reject(crashed(reason));
    }
    inFlight.clear();
    listeners.clear();
  });

  const call = (name: string, args: readonly unknown[]): Promise<unknown> => {
    if (closed) {
      return Promise.reject(crashed('the connection is closed'));
    }
    return new Promise((resolve, reject) => {
      inFlight.add(reject);
      // Through JSON, so that every transport carries the same: proxies become plain, undefined fields vanish.
      const plain = args.map((arg) => (arg === undefined ? null : JSON.parse(JSON.stringify(arg))));
      remote[name]?.(...plain)
        .then(unwrap)
        .then(resolve, reject)
        .finally(() => inFlight.delete(reject));
    });
  };

  return {
    engine: methodsThrough(call),
    onEvent(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onClose: (listener) => endpoint.onClose(listener),
    close: () => endpoint.close(),
  };
}

/** An EngineApi whose every method goes through one function. */
export function methodsThrough(call: (name: keyof EngineApi, args: readonly unknown[]) => Promise<unknown>): EngineApi {
  const methods = ENGINE_METHODS.map((name) => [name, (...args: unknown[]) => call(name, args)] as const);
  return Object.freeze(Object.fromEntries(methods)) as unknown as EngineApi;
}

function unwrap(outcome: unknown): unknown {
  if (!isOutcome(outcome)) {
    throw new AppError('Internal', 'Something went wrong inside Hyaline.', { detail: 'the answer is not an outcome' });
  }
  if (!outcome.ok) {
    throw fromErrorPayload(outcome.error);
  }
  return outcome.value;
}

function crashed(detail: string): AppError {
  return new AppError('EngineCrashed', 'The connection to the engine was lost.', {
    advice: 'It is being started again; what was computed is kept and can be continued.',
    detail,
  });
}
