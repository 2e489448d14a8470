import { availableParallelism } from 'node:os';
import type { DeviceStatus } from '../../../src-shared/api/engine.ts';

/** What inference runs on. */
export class DeviceService {
  readonly #threads: number;

  constructor(threads: number) {
    this.#threads = threads === 0 ? availableParallelism() : threads;
  }

  async status(): Promise<DeviceStatus> {
    return { name: 'CPU', detail: `onnxruntime, ${this.#threads} threads`, threads: this.#threads, refused: [] };
  }
}
