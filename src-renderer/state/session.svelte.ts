import type { EngineApi } from '../../src-shared/api/engine.ts';
import type { EngineEvent } from '../../src-shared/api/events.ts';
import { AppError, hasCode } from '../../src-shared/errors.ts';
import type { AboutInfo } from '../../src-shared/model/installation.ts';
import { type EngineConnection, methodsThrough } from '../../src-shared/rpc/client.ts';
import type { Transport } from '../client/transport.ts';
import { asAppError } from './toasts.svelte.ts';

export type Connection = 'connecting' | 'ready' | 'lost' | 'refused';

const RETRY_MS = [300, 700, 1500, 3000, 5000];

/**
 * The engine as the views know it: one object that outlives connections. When the engine is lost, calls reject with
 * EngineCrashed, `connection` says so, and a new connection is sought until there is one.
 */
class Session {
  connection = $state<Connection>('connecting');
  error = $state.raw<AppError | null>(null);
  about = $state.raw<AboutInfo | null>(null);

  readonly engine: EngineApi = methodsThrough((name, args) => this.#call(name, args));

  #transport: Transport | null = null;
  #current: EngineConnection | null = null;
  #tries = 0;
  readonly #onReady = new Set<() => void>();
  readonly #onEvent = new Set<(event: EngineEvent) => void>();

  /** Called at each new connection, after which all that is shown has to be asked for again. */
  onReady(listener: () => void): void {
    this.#onReady.add(listener);
  }

  onEvent(listener: (event: EngineEvent) => void): void {
    this.#onEvent.add(listener);
  }

  start(transport: Transport): void {
    this.#transport = transport;
    void this.#connect();
  }

  /** The user does not want to wait for the next try. */
  retryNow(): void {
    if (this.connection === 'ready' || this.connection === 'connecting') return;
    this.connection = 'connecting';
    void this.#connect();
  }

  async refreshAbout(): Promise<void> {
    this.about = await this.engine.about();
  }

  async #connect(): Promise<void> {
    if (!this.#transport) return;
    try {
      const connection = await this.#transport.connect();
      this.#current = connection;
      connection.onEvent((event) => {
        for (const listener of this.#onEvent) listener(event);
      });
      connection.onClose((reason) => this.#lost(connection, reason));
      await this.refreshAbout();
      this.#tries = 0;
      this.error = null;
      this.connection = 'ready';
      for (const listener of this.#onReady) listener();
    } catch (error) {
      this.#failed(asAppError(error));
    }
  }

  #lost(connection: EngineConnection, reason: string): void {
    if (this.#current !== connection) return;
    this.#current = null;
    this.#failed(new AppError('EngineCrashed', 'The engine was lost.', { detail: reason }));
  }

  #failed(error: AppError): void {
    this.#current?.close();
    this.#current = null;
    this.error = error;
    if (hasCode(error, 'NotAllowed', 'StoreLocked', 'StoreDamaged', 'StoreOnNetwork')) {
      this.connection = 'refused';
      return;
    }
    if (this.connection !== 'connecting' || this.#tries > 0) this.connection = 'lost';
    const wait = RETRY_MS[Math.min(this.#tries, RETRY_MS.length - 1)] ?? 5000;
    this.#tries += 1;
    setTimeout(() => {
      if (this.connection !== 'ready' && this.#current === null) void this.#connect();
    }, wait);
  }

  #call(name: keyof EngineApi, args: readonly unknown[]): Promise<unknown> {
    const engine = this.#current?.engine;
    if (!engine) {
      const advice = 'It is being started again; try once more when the notice at the top has gone.';
      return Promise.reject(new AppError('EngineCrashed', 'The engine is not connected.', { advice }));
    }
    const method = engine[name] as (...args: readonly unknown[]) => Promise<unknown>;
    return method(...args);
  }
}

export const session = new Session();
export const engine: EngineApi = session.engine;
