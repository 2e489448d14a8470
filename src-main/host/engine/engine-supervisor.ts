import { MessageChannel, Worker } from 'node:worker_threads';
import type { FromEngine, ToEngine } from '../../../src-shared/api/engine-link.ts';
import type { EngineEvent } from '../../../src-shared/api/events.ts';
import { AppError, fromErrorPayload } from '../../../src-shared/errors.ts';
import type { FileGrant, JobId } from '../../../src-shared/model/ids.ts';
import type { RpcEndpoint } from '../../../src-shared/rpc/endpoint.ts';
import { portEndpoint } from '../../../src-shared/rpc/port-endpoint.ts';
import type { EngineRequest, EngineResponse } from '../../engine/engine.ts';
import type { ThreadStart } from './thread-link.ts';

export interface SupervisorOptions {
  readonly start: ThreadStart;
  /** Entry of the engine's thread. */
  readonly entry: URL;
  /** Told in one sentence when the engine dies, comes back or is given up. */
  readonly log: (line: string) => void;
  /** Wait before the first restart, ms; doubled for each further crash. */
  readonly backOffMs?: number;
}

const MAX_CRASHES = 3;
/** Crashes further apart than this do not count together. */
const CRASH_WINDOW_MS = 60_000;
const CLOSE_TIMEOUT_MS = 15_000;

interface Waiting {
  resolve(message: FromEngine): void;
  reject(error: AppError): void;
}

/**
 * Runs the engine on a thread of its own and keeps it running. When the thread dies, everything in flight fails with
 * `EngineCrashed`, the thread is started again after a growing wait, and jobs that ran are resumed; after three crashes
 * within a minute it stays down and every request says so.
 */
export class EngineSupervisor {
  readonly #options: SupervisorOptions;
  #worker: Worker | null = null;
  #launching: Promise<void> | null = null;
  #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #crashes: number[] = [];
  #runningJobs = new Set<JobId>();
  #closing = false;
  #closed: (() => void) | null = null;
  #down: AppError | null = null;
  readonly #listeners = new Set<(event: EngineEvent) => void>();

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Starts the engine. Rejects with the engine's own error where it cannot start (store locked, too new, …). */
  start(): Promise<void> {
    return this.#launch(false);
  }

  /** Answers a route through the engine. Rejects with EngineCrashed while the engine is down. */
  async request({ method, path }: EngineRequest): Promise<EngineResponse> {
    const answer = await this.#ask((id) => ({ type: 'route', id, method, path }));
    if (answer.type !== 'routed') {
      throw unexpected(answer);
    }
    return answer.response;
  }

  /** The right to read one file, for a path the host has checked. */
  async grant(path: string): Promise<FileGrant> {
    const answer = await this.#ask((id) => ({ type: 'grant', id, path }));
    if (answer.type !== 'granted') {
      throw unexpected(answer);
    }
    return answer.grant;
  }

  /** A new client's end of the guarded RPC. Closes when the engine dies. Throws EngineCrashed while it is down. */
  connect(): RpcEndpoint {
    const worker = this.#running();
    const { port1, port2 } = new MessageChannel();
    worker.postMessage({ type: 'connect', port: port1 }, [port1]);
    return portEndpoint(port2);
  }

  onEvent(listener: (event: EngineEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Lets the engine finish what it is writing and release its store; gives up waiting after 15 s. */
  async close(): Promise<void> {
    this.#closing = true;
    // An engine that is just starting is let start: killed halfway it could leave its store locked.
    await this.#launching?.catch(() => undefined);
    const worker = this.#worker;
    if (worker === null) {
      return;
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, CLOSE_TIMEOUT_MS);
      timer.unref();
      this.#closed = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#post(worker, { type: 'close' });
    });
  }

  #launch(isRestart: boolean): Promise<void> {
    this.#launching = new Promise((resolve, reject) => {
      const worker = new Worker(this.#options.entry, { workerData: this.#options.start });
      let failure: AppError | null = null;
      let ready = false;
      worker.on('message', (message: FromEngine) => {
        if (message.type === 'ready') {
          ready = true;
          this.#worker = worker;
          this.#down = null;
          resolve();
        } else if (message.type === 'failed') {
          failure = fromErrorPayload(message.error);
        } else {
          this.#receive(message);
        }
      });
      let cause = '';
      worker.on('error', (error) => {
        cause = error instanceof Error ? (error.stack ?? error.message) : String(error);
      });
      worker.on('exit', () => {
        this.#worker = null;
        const error = failure ?? crashed(cause);
        this.#failWaiting(error);
        if (this.#closing) {
          this.#closed?.();
        } else if (ready || isRestart) {
          this.#restartAfterCrash(error);
        }
        reject(error);
      });
    });
    return this.#launching;
  }

  #receive(message: FromEngine): void {
    if (message.type === 'event') {
      this.#trackJobs(message.event);
      for (const listener of [...this.#listeners]) {
        listener(message.event);
      }
    } else if ('id' in message) {
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.type === 'refused') {
        waiting?.reject(fromErrorPayload(message.error));
      } else {
        waiting?.resolve(message);
      }
    }
  }

  #trackJobs(event: EngineEvent): void {
    if (event.type === 'job') {
      if (event.job.state === 'running' || event.job.state === 'queued') {
        this.#runningJobs.add(event.job.id);
      } else {
        this.#runningJobs.delete(event.job.id);
      }
    }
  }

  #restartAfterCrash(error: AppError): void {
    const now = Date.now();
    this.#crashes = [...this.#crashes.filter((at) => now - at < CRASH_WINDOW_MS), now];
    const count = this.#crashes.length;
    this.#options.log(`${error.message} ${firstLine(error.detail)}`);
    if (count >= MAX_CRASHES) {
      this.#giveUp(error.detail);
      return;
    }
    const waitMs = (this.#options.backOffMs ?? 500) * 2 ** (count - 1);
    setTimeout(() => {
      if (this.#closing) {
        return;
      }
      // A restart that fails has been counted as a crash by then.
      this.#launch(true).then(
        () => this.#resumeJobs(),
        () => undefined,
      );
    }, waitMs);
  }

  #resumeJobs(): void {
    this.#options.log('The engine is running again.');
    if (this.#worker !== null && this.#runningJobs.size > 0) {
      this.#post(this.#worker, { type: 'resume', jobIds: [...this.#runningJobs] });
    }
  }

  #giveUp(detail: string): void {
    this.#down = new AppError('EngineCrashed', 'The engine stopped and could not be started again.', {
      advice: 'Close Hyaline and start it again; results that were computed are kept.',
      detail,
    });
    this.#options.log(`${this.#down.message} ${this.#down.advice}`);
  }

  #ask(make: (id: number) => ToEngine): Promise<FromEngine> {
    return new Promise((resolve, reject) => {
      const worker = this.#running();
      const id = this.#nextId++;
      this.#waiting.set(id, { resolve, reject });
      this.#post(worker, make(id));
    });
  }

  #running(): Worker {
    if (this.#worker === null) {
      throw this.#down ?? crashed('the engine is being started');
    }
    return this.#worker;
  }

  #post(worker: Worker, message: ToEngine): void {
    worker.postMessage(message);
  }

  #failWaiting(error: AppError): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) {
      reject(error);
    }
  }
}

function crashed(detail: string): AppError {
  return new AppError('EngineCrashed', 'The engine stopped unexpectedly.', {
    advice: 'It is being started again; what was computed is kept and can be continued.',
    detail,
  });
}

function unexpected(message: FromEngine): AppError {
  return new AppError('Internal', 'Something went wrong inside Hyaline.', { detail: `unexpected ${message.type}` });
}

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? '';
