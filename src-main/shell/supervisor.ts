import type { RoutedResponse } from '../../src-shared/api/engine-link.ts';
import type { EngineEvent } from '../../src-shared/api/events.ts';
import type { EngineStatus } from '../../src-shared/api/shell.ts';
import { type AppError, type ErrorPayload, fromErrorPayload, toErrorPayload } from '../../src-shared/errors.ts';
import type { FileGrant } from '../../src-shared/model/ids.ts';
import { CrashedJobs } from './crashed-jobs.ts';
import { deviceTest } from './device-test.ts';
import type { EngineChild, ShellPort } from './electron.ts';
import { EngineProcess, engineCrashed } from './engine-process.ts';
import { Listeners } from './listeners.ts';
import { RESTART_LIMITS, type RestartLimits, RestartPolicy } from './restart-policy.ts';

export interface SupervisorOptions {
  fork(): EngineChild;
  /** Starts a process that tries a device for the engine. */
  forkDeviceTest(request: unknown): EngineChild;
  readonly limits?: RestartLimits;
  /** How long a closing engine may take before it is ended. */
  readonly closeTimeoutMs?: number;
}

interface Waiter {
  resolve(process: EngineProcess): void;
  reject(error: AppError): void;
}

/**
 * Keeps one engine process running: starts it, starts it again with back-off when it dies, gives up after several
 * crashes in a row, and continues the jobs that a crash interrupted.
 */
export class EngineSupervisor {
  readonly #options: SupervisorOptions;
  readonly #policy: RestartPolicy;
  readonly #jobs = new CrashedJobs();
  readonly #status = new Listeners<EngineStatus>();
  readonly #events = new Listeners<EngineEvent>();
  #current: EngineStatus = { state: 'starting', generation: 0, error: null, retryInMs: null };
  #process: EngineProcess | null = null;
  #readyAtMs: number | null = null;
  #refusal: ErrorPayload | null = null;
  #waiters: Waiter[] = [];
  #timer: NodeJS.Timeout | null = null;
  #closing = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#policy = new RestartPolicy(options.limits ?? RESTART_LIMITS);
  }

  get status(): EngineStatus {
    return this.#current;
  }

  /** Process id of the running engine, for logs and tests. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  onStatus(listener: (status: EngineStatus) => void): () => void {
    return this.#status.add(listener);
  }

  onEvent(listener: (event: EngineEvent) => void): () => void {
    return this.#events.add(listener);
  }

  start(): void {
    this.#timer = null;
    const generation = this.#current.generation + 1;
    this.#refusal = null;
    this.#readyAtMs = null;
    this.#change({ state: 'starting', generation, error: this.#current.error, retryInMs: null });
    let child: EngineChild;
    try {
      child = this.#options.fork();
    } catch (error) {
      this.#died(`engine process could not be started: ${String(error)}`);
      return;
    }
    this.#process = new EngineProcess(child, {
      onReady: () => this.#ready(generation),
      onFailed: (error) => {
        this.#refusal = error;
      },
      onEvent: (event) => {
        this.#jobs.note(event);
        this.#events.emit(event);
      },
      onDeviceTest: (request, timeoutMs) => deviceTest(() => this.#options.forkDeviceTest(request), timeoutMs),
      onExit: (code) => this.#died(`engine process ended with code ${code}`),
    });
  }

  /** Another try after `failed`; nothing in any other state. */
  restart(): void {
    if (this.#current.state !== 'failed' || this.#closing) return;
    this.#policy.reset();
    this.start();
  }

  /** Hands a client's port to the running engine, once there is one. Rejects when the engine was given up. */
  async connect(port: ShellPort): Promise<number> {
    const process = await this.#whenReady();
    process.connect(port);
    return this.#current.generation;
  }

  /** A grant for a path that the caller has checked. Waits for an engine that is starting. */
  async grant(path: string): Promise<FileGrant> {
    return (await this.#whenReady()).grant(path);
  }

  /** Asks the engine for a route. Waits for one that is starting; rejects at once between a crash and the next start. */
  async route(method: string, path: string): Promise<RoutedResponse> {
    if (this.#current.state === 'restarting') throw this.#whyNot();
    return (await this.#whenReady()).route(method, path);
  }

  /** Closes the engine for good. */
  async close(): Promise<void> {
    this.#closing = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#rejectWaiters(engineCrashed('the application is closing'));
    await this.#process?.close(this.#options.closeTimeoutMs ?? 10_000);
  }

  #ready(generation: number): void {
    this.#readyAtMs = performance.now();
    this.#change({ state: 'ready', generation, error: null, retryInMs: null });
    const process = this.#process;
    if (process === null) return;
    const jobs = this.#jobs.takeResumable();
    if (jobs.length > 0) process.resume(jobs);
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { resolve } of waiters) resolve(process);
  }

  #died(detail: string): void {
    this.#process = null;
    this.#jobs.engineDied();
    if (this.#closing) return;
    const { generation } = this.#current;
    if (this.#refusal !== null) {
      this.#giveUp(generation, this.#refusal);
      return;
    }
    const error = toErrorPayload(engineCrashed(detail));
    const readyForMs = this.#readyAtMs === null ? 0 : performance.now() - this.#readyAtMs;
    const delayMs = this.#policy.crashed(readyForMs);
    if (delayMs === null) {
      this.#giveUp(generation, {
        ...error,
        message: `The part of Hyaline that does the computing stopped ${this.#policy.crashesInARow} times in a row.`,
        advice: 'Start it again; if it stops again, open another slide or remove the backbone used last.',
      });
      return;
    }
    this.#change({ state: 'restarting', generation, error, retryInMs: delayMs });
    this.#timer = setTimeout(() => this.start(), delayMs);
  }

  #giveUp(generation: number, error: ErrorPayload): void {
    this.#change({ state: 'failed', generation, error, retryInMs: null });
    this.#rejectWaiters(fromErrorPayload(error));
  }

  #rejectWaiters(error: AppError): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { reject } of waiters) reject(error);
  }

  #whenReady(): Promise<EngineProcess> {
    if (this.#process !== null && this.#current.state === 'ready') return Promise.resolve(this.#process);
    if (this.#current.state === 'failed' || this.#closing) return Promise.reject(this.#whyNot());
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  #whyNot(): AppError {
    const { error, state } = this.#current;
    return error === null ? engineCrashed(`the engine is ${state}`) : fromErrorPayload(error);
  }

  #change(status: EngineStatus): void {
    this.#current = status;
    this.#status.emit(status);
  }
}
