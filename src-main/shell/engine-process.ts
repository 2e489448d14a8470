import type {
  DeviceTestAnswer,
  DeviceTestRequest,
  FromEngine,
  RoutedResponse,
  ToEngine,
} from '../../src-shared/api/engine-link.ts';
import type { EngineEvent } from '../../src-shared/api/events.ts';
import { AppError, type ErrorPayload, fromErrorPayload } from '../../src-shared/errors.ts';
import type { FileGrant, JobId } from '../../src-shared/model/ids.ts';
import type { DeviceTestOutcome } from './device-test.ts';
import type { EngineChild, ShellPort } from './electron.ts';

export interface EngineProcessListeners {
  onReady(): void;
  /** The engine says that it cannot start; its exit follows. */
  onFailed(error: ErrorPayload): void;
  onEvent(event: EngineEvent): void;
  /** The engine asks for a device to be tried in a process of its own. */
  onDeviceTest(request: unknown, timeoutMs: number): Promise<DeviceTestOutcome>;
  /** The process is gone; what was in flight has been rejected. */
  onExit(code: number): void;
}

interface Waiting {
  resolve(value: RoutedResponse | FileGrant): void;
  reject(error: AppError): void;
}

/** What calls reject with when the process behind them is gone. */
export function engineCrashed(detail: string): AppError {
  return new AppError('EngineCrashed', 'The part of Hyaline that does the computing has stopped.', {
    advice: 'It is started again by itself; work in progress continues from what was stored.',
    detail,
  });
}

/** One life of the engine's process, from fork to exit: questions in, answers out, everything rejected at its death. */
export class EngineProcess {
  readonly #child: EngineChild;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #gone = false;

  constructor(child: EngineChild, listeners: EngineProcessListeners) {
    this.#child = child;
    child.on('message', (message: FromEngine | DeviceTestRequest) => this.#receive(message, listeners));
    child.once('exit', (code) => {
      this.#gone = true;
      const error = engineCrashed(`engine process ended with code ${code}`);
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
      listeners.onExit(code);
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Hands a client's port to the engine, which serves its API on it. */
  connect(port: ShellPort): void {
    this.#child.postMessage({ type: 'connect' } satisfies ToEngine, [port as Electron.MessagePortMain]);
  }

  route(method: string, path: string): Promise<RoutedResponse> {
    return this.#ask<RoutedResponse>((id) => ({ type: 'route', id, method, path }));
  }

  grant(path: string): Promise<FileGrant> {
    return this.#ask<FileGrant>((id) => ({ type: 'grant', id, path }));
  }

  resume(jobIds: readonly JobId[]): void {
    this.#send({ type: 'resume', jobIds });
  }

  /** Asks the engine to close, and ends the process if it has not gone by itself in time. */
  async close(timeoutMs: number): Promise<void> {
    if (this.#gone) return;
    const exited = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()));
    this.#send({ type: 'close' });
    const timer = setTimeout(() => this.#child.kill(), timeoutMs);
    await exited;
    clearTimeout(timer);
  }

  async #testDevice({ id, request, timeoutMs }: DeviceTestRequest, listeners: EngineProcessListeners): Promise<void> {
    const answer = await listeners.onDeviceTest(request, timeoutMs);
    this.#send({ type: 'device-tested', id, ...answer });
  }

  #send(message: ToEngine | DeviceTestAnswer): void {
    if (!this.#gone) this.#child.postMessage(message);
  }

  #ask<T extends RoutedResponse | FileGrant>(question: (id: number) => ToEngine): Promise<T> {
    if (this.#gone) return Promise.reject(engineCrashed('engine process is gone'));
    const id = this.#nextId++;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: (value) => resolve(value as T), reject });
      this.#send(question(id));
    });
  }

  #settle(id: number, act: (waiting: Waiting) => void): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (waiting !== undefined) act(waiting);
  }

  #receive(message: FromEngine | DeviceTestRequest, listeners: EngineProcessListeners): void {
    switch (message.type) {
      case 'ready':
        listeners.onReady();
        break;
      case 'failed':
        listeners.onFailed(message.error);
        break;
      case 'event':
        listeners.onEvent(message.event);
        break;
      case 'routed':
        this.#settle(message.id, ({ resolve }) => resolve(message.response));
        break;
      case 'granted':
        this.#settle(message.id, ({ resolve }) => resolve(message.grant));
        break;
      case 'refused':
        this.#settle(message.id, ({ reject }) => reject(fromErrorPayload(message.error)));
        break;
      case 'test-device':
        void this.#testDevice(message, listeners);
        break;
      case 'closed':
        break;
    }
  }
}
