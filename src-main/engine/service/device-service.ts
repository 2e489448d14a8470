import { availableParallelism } from 'node:os';
import type { BackboneId } from '../../../src-shared/model/ids.ts';
import type { DeviceChoices, DeviceStatus } from '../../../src-shared/model/installation.ts';
import {
  type ChosenDevice,
  chooseDevice,
  type DeviceChoice,
  deviceLabel,
  NOT_RUN_BY_CHECKS,
  type TestSubject,
} from '../infer/device.ts';
import { type ProbeDevice, probeInChildProcess } from '../infer/probe.ts';
import type { ProviderName } from '../infer/protocol.ts';
import type { DeviceOrder } from '../learn/training-devices.ts';
import type { Store } from '../store/store.ts';

/** The setting under which the user pins a device; empty = best first. */
export const DEVICE_SETTING = 'inference.device';

const PROVIDERS: readonly ProviderName[] = ['cuda', 'dml', 'coreml', 'webgpu', 'cpu'];

export interface DeviceServiceParts {
  readonly store: Pick<Store, 'getSetting'>;
  /** Threads of a CPU session; 0 = all cores. */
  readonly threads: number;
  readonly probe?: ProbeDevice;
  /** What a device is tested with before it computes features of a backbone. */
  readonly subjectOf?: (id: BackboneId) => Promise<TestSubject>;
  readonly platform?: NodeJS.Platform;
  readonly missing?: (provider: ProviderName) => string | null;
}

/**
 * What inference runs on: chosen by self-tests in child processes, once with a small network and once for each backbone
 * it is to run, again when the user pins another device or asks for it.
 */
export class DeviceService {
  readonly #parts: DeviceServiceParts;
  readonly #threads: number;
  #chosen: Promise<ChosenDevice> | null = null;
  readonly #forBackbones = new Map<string, Promise<ChosenDevice>>();
  readonly #failed = new Map<ProviderName, string>();

  constructor(parts: DeviceServiceParts) {
    this.#parts = parts;
    this.#threads = parts.threads === 0 ? availableParallelism() : parts.threads;
  }

  async status(): Promise<DeviceStatus> {
    return (await this.choose()).status;
  }

  /** Threads of a CPU session. */
  get threads(): number {
    return this.#threads;
  }

  /**
   * The device to use; where backbones are named, one that agrees with the CPU on each of them.
   *
   * @param pinned stands in for the user's setting this once.
   */
  async choose(backbones: readonly BackboneId[] = [], pinned: ProviderName | null = null): Promise<ChosenDevice> {
    if (pinned !== null) return await this.#probe({ pinned, subjects: await this.#subjects(backbones) });
    this.#chosen ??= this.#probe({});
    try {
      const general = await this.#chosen;
      if (general.provider === 'cpu' || backbones.length === 0 || this.#parts.subjectOf === undefined) return general;
    } catch (error) {
      this.#chosen = null;
      throw error;
    }
    return await this.#chooseFor(backbones);
  }

  /** Every candidate and what became of it. */
  async list(): Promise<DeviceChoices> {
    const { candidates } = await this.choose();
    return {
      pinned: (await this.#pinned()) ?? '',
      candidates,
      notRunByChecks: NOT_RUN_BY_CHECKS.map(deviceLabel),
    };
  }

  /** What training may run on, best first: what inference would. */
  async trainingOrder(): Promise<DeviceOrder> {
    const { provider, fallbacks, status } = await this.choose();
    const pinned = await this.#pinned();
    return { providers: [...new Set([provider, ...fallbacks, 'cpu' as const])], pinned, refused: status.refused };
  }

  /** Forgets what was found, tests every candidate (with the subject, or a small network) and chooses anew. */
  async test(subject: TestSubject | null): Promise<DeviceChoices> {
    this.reset();
    this.#chosen = this.#probe({ testAll: true, ...(subject === null ? {} : { subjects: [subject] }) });
    return await this.list();
  }

  /** Chooses anew at the next call: the user has pinned another device. */
  reset(): void {
    this.#chosen = null;
    this.#forBackbones.clear();
    this.#failed.clear();
  }

  /** Goes on with the next device for this session, because the one in use failed in the middle of a run. */
  async fallBack(from: ProviderName, reason: string, backbones: readonly BackboneId[] = []): Promise<ChosenDevice> {
    this.#failed.set(from, reason);
    this.#chosen = null;
    this.#forBackbones.clear();
    return await this.choose(backbones);
  }

  async #chooseFor(backbones: readonly BackboneId[]): Promise<ChosenDevice> {
    const key = [...new Set(backbones)].sort().join();
    const known = this.#forBackbones.get(key);
    if (known !== undefined) return await known;
    const testing = this.#subjects(backbones).then((subjects) => this.#probe({ subjects }));
    this.#forBackbones.set(key, testing);
    try {
      return await testing;
    } catch (error) {
      this.#forBackbones.delete(key);
      throw error;
    }
  }

  async #subjects(backbones: readonly BackboneId[]): Promise<readonly TestSubject[]> {
    const { subjectOf } = this.#parts;
    return subjectOf === undefined ? [] : await Promise.all([...new Set(backbones)].map(subjectOf));
  }

  async #pinned(): Promise<ProviderName | null> {
    const wanted = await this.#parts.store.getSetting(DEVICE_SETTING);
    return PROVIDERS.find((provider) => provider === wanted) ?? null;
  }

  async #probe(how: Pick<DeviceChoice, 'subjects' | 'testAll' | 'pinned'>): Promise<ChosenDevice> {
    const { probe = probeInChildProcess, platform, missing } = this.#parts;
    return await chooseDevice({
      ...{ threads: this.#threads, pinned: await this.#pinned(), probe, failed: this.#failed },
      ...how,
      ...(platform === undefined ? {} : { platform }),
      ...(missing === undefined ? {} : { missing }),
    });
  }
}
