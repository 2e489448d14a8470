import type { EngineApi } from '../../src-shared/api/engine.ts';
import type { EngineEvent } from '../../src-shared/api/events.ts';
import type { BackboneId, FileGrant } from '../../src-shared/model/ids.ts';
import type { ChosenDevice } from './infer/device.ts';
import type { ProbeDevice } from './infer/probe.ts';
import type { ProviderName } from './infer/protocol.ts';
import type { ProbeStep } from './learn/training-devices.ts';

export interface EngineOptions {
  /** Folder of the store: hyaline.db, backbones/, demo/, exports/, imported/. Made if it is not there. */
  readonly storeFolder: string;
  /** `resources/` of the installation: fonts, cards, icons. */
  readonly resourcesFolder: string;
  readonly host: 'electron' | 'web' | 'cli';
  /** Threads of the inference session; 0 = all cores. */
  readonly threads: number;
  /** Tries a device in a process of its own, where the host has another way than a child process of this one. */
  readonly probe?: ProbeDevice;
  /** The same for a step of a training. */
  readonly probeStep?: ProbeStep;
  /** A folder or http(s) address that stands in for the servers of the backbone catalogue; null = the servers. */
  readonly catalogueMirror?: string | null;
  /** Address of another Hugging Face hub (a site's own, a test's); null = https://huggingface.co. */
  readonly hubUrl?: string | null;
}

/** A route request: plain data, so that it crosses a thread or a process by structured clone. */
export interface EngineRequest {
  readonly method: string;
  /** Path with its query: one of `routes`. */
  readonly path: string;
}

export interface EngineResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** A running engine. `api` is what clients call; the rest belongs to the host that runs it and never crosses RPC. */
export interface Engine {
  readonly api: EngineApi;
  /** Answers a route; never rejects: an AppError becomes a JSON body (ErrorPayload) with a matching status. */
  handle(request: EngineRequest): Promise<EngineResponse>;
  /** Calls the listener for every event until the returned function is called. */
  subscribe(listener: (event: EngineEvent) => void): () => void;
  /** Gives out the right to read one file. Only hosts that have checked the user's intent call it. */
  grant(path: string): FileGrant;
  /**
   * The device to run a backbone on in this process, tested with it; `pinned` = no other but the CPU. For commands that
   * compute outside the job queue.
   */
  chooseDevice(id: BackboneId, pinned: ProviderName | null): Promise<ChosenDevice>;
  /** Cancels what runs (resumable), releases sessions and the store's lock. */
  close(): Promise<void>;
}
