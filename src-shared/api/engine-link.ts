import type { ErrorPayload } from '../errors.ts';
import type { FileGrant, JobId } from '../model/ids.ts';
import type { EngineEvent } from './events.ts';

/**
 * What the main process and the engine's utility process say to each other over the parent port. Clients never see
 * this: they reach the engine through a MessagePort of their own (`connect`), behind the RPC guard.
 */
export type ToEngine =
  /** Carries one MessagePort: serve the engine's API on it. */
  | { readonly type: 'connect' }
  | { readonly type: 'route'; readonly id: number; readonly method: string; readonly path: string }
  /** The user has chosen this file: answer with a grant. Sent only for paths that the shell has checked. */
  | { readonly type: 'grant'; readonly id: number; readonly path: string }
  /** Go on with these jobs, which ran when an earlier engine died. */
  | { readonly type: 'resume'; readonly jobIds: readonly JobId[] }
  | { readonly type: 'close' };

export type FromEngine =
  | { readonly type: 'ready' }
  /** The engine cannot start (store locked, too new, damaged…): starting again at once would not help. */
  | { readonly type: 'failed'; readonly error: ErrorPayload }
  | { readonly type: 'event'; readonly event: EngineEvent }
  | { readonly type: 'routed'; readonly id: number; readonly response: RoutedResponse }
  | { readonly type: 'granted'; readonly id: number; readonly grant: FileGrant }
  | { readonly type: 'refused'; readonly id: number; readonly error: ErrorPayload }
  | { readonly type: 'closed' };

export interface RoutedResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** What an engine is started with. */
export interface EngineStart {
  readonly storeFolder: string;
  readonly resourcesFolder: string;
  /** Threads of the inference session; 0 = all cores. */
  readonly threads: number;
}

/** The argument of the utility process, as JSON. It finds the store by itself, as the command line does. */
export type UtilityStart = Omit<EngineStart, 'storeFolder'>;

/** In place of the start options: run the command line with the arguments that follow, then end. */
export const CLI_ARGUMENT = '--hyaline-cli';

/** In place of the start options: try a device (the request follows as JSON), tell the outcome, end. */
export const DEVICE_TEST_ARGUMENT = '--hyaline-test-device';

/**
 * The engine asks for a process of its own in which a device is tried: a driver may bring it down, and in Electron only
 * the main process can start one. What is asked and answered means nothing to the main process.
 */
export interface DeviceTestRequest {
  readonly type: 'test-device';
  readonly id: number;
  readonly request: unknown;
  /** Without an answer for so long it counts as hung. */
  readonly timeoutMs: number;
}

export interface DeviceTestAnswer {
  readonly type: 'device-tested';
  readonly id: number;
  /** What the tried device's process said; null where it ended without a word. */
  readonly outcome: unknown;
  /** How it ended, in a few words; empty where it answered. */
  readonly died: string;
}
