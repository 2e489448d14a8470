import { availableParallelism } from 'node:os';
import type { DeviceStatus } from '../../../src-shared/api/engine.ts';
import { type ChosenDevice, chooseDevice } from '../infer/device.ts';
import { type ProbeDevice, probeInChildProcess } from '../infer/probe.ts';
import type { ProviderName } from '../infer/protocol.ts';
import type { Store } from '../store/store.ts';

/** The setting under which the user pins a device; empty = best first. */
export const DEVICE_SETTING = 'inference.device';

const PROVIDERS: readonly ProviderName[] = ['cuda', 'dml', 'coreml', 'webgpu', 'cpu'];

/** What inference runs on: chosen once by self-tests in child processes, again when the user pins another device. */
export class DeviceService {
  readonly #store: Pick<Store, 'getSetting'>;
  readonly #threads: number;
  readonly #tryDevice: ProbeDevice;
  #chosen: Promise<ChosenDevice> | null = null;
  #failed: readonly DeviceStatus['refused'][number][] = [];

  constructor(store: Pick<Store, 'getSetting'>, threads: number, tryDevice: ProbeDevice = probeInChildProcess) {
    this.#tryDevice = tryDevice;
    this.#store = store;
    this.#threads = threads === 0 ? availableParallelism() : threads;
  }

  async status(): Promise<DeviceStatus> {
    const { status } = await this.choose();
    return { ...status, refused: [...status.refused, ...this.#failed] };
  }

  /** Threads of a CPU session. */
  get threads(): number {
    return this.#threads;
  }

  async choose(): Promise<ChosenDevice> {
    this.#chosen ??= this.#probe();
    try {
      return await this.#chosen;
    } catch (error) {
      this.#chosen = null;
      throw error;
    }
  }

  /** Chooses anew at the next call: the user has pinned another device. */
  reset(): void {
    this.#chosen = null;
    this.#failed = [];
  }

  /** Goes on with the CPU for this session, because the device in use failed in the middle of a run. */
  async fallBack(reason: string): Promise<ChosenDevice> {
    const { status } = await this.choose();
    this.#failed = [...this.#failed, { name: status.name, reason }];
    this.#chosen = chooseDevice({ threads: this.#threads, pinned: 'cpu' });
    return await this.#chosen;
  }

  async #probe(): Promise<ChosenDevice> {
    const wanted = await this.#store.getSetting(DEVICE_SETTING);
    const pinned = PROVIDERS.find((provider) => provider === wanted) ?? null;
    return await chooseDevice({ threads: this.#threads, pinned, probe: this.#tryDevice });
  }
}
