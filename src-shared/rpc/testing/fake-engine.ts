import type { EngineApi } from '../../api/engine.ts';
import { ENGINE_METHODS } from '../../api/engine-methods.ts';
import type { EngineEvent } from '../../api/events.ts';
import { AppError } from '../../errors.ts';

/** A small engine for tests of the transports: settings work, slides are never found, `cancelJob` never answers. */
export interface FakeEngine {
  readonly api: EngineApi;
  /** Names of the methods called, in order. */
  readonly calls: string[];
  readonly listenerCount: () => number;
  emit(event: EngineEvent): void;
  subscribe(listener: (event: EngineEvent) => void): () => void;
}

export function fakeEngine(): FakeEngine {
  const calls: string[] = [];
  const settings = new Map<string, string>();
  const listeners = new Set<(event: EngineEvent) => void>();
  const answers: Record<string, (...args: never[]) => Promise<unknown>> = {
    listSlides: async () => [],
    getSlide: async (id: string) => {
      throw new AppError('NotFound', 'This slide is not in the library.', { advice: 'Open its file.', detail: id });
    },
    listJobs: async () => {
      throw new TypeError('a fault of the engine');
    },
    // Not JSON-safe: what a careless method could answer.
    listRuns: async () => [new Float32Array(2)],
    cancelJob: () => new Promise(() => undefined),
    getSetting: async (key: string) => settings.get(key) ?? null,
    setSetting: async (key: string, value: string) => {
      settings.set(key, value);
    },
    editBackbone: async (id: string, edits: object) => ({ id, edits }),
  };
  const methods = ENGINE_METHODS.map((name) => [
    name,
    (...args: never[]) => {
      calls.push(name);
      return answers[name]?.(...args) ?? Promise.reject(new AppError('NotFound', 'Not part of this test.'));
    },
  ]);
  return {
    api: Object.fromEntries(methods) as EngineApi,
    calls,
    listenerCount: () => listeners.size,
    emit: (event) => {
      for (const listener of listeners) {
        listener(event);
      }
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
