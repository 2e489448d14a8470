import { AppError } from '../../../src-shared/errors.ts';
import type { TrainedOn } from '../../../src-shared/model/study.ts';
import type { OnnxModel } from '../graph/model.ts';
import { deviceLabel, refusal } from '../infer/device.ts';
import { askChildProcess, type ProbeOutcome } from '../infer/probe.ts';
import type { ProviderName } from '../infer/protocol.ts';
import type { StepTest } from './step-self-test.ts';

/** What training may run on: the choice made for inference, as the training thread is told. */
export interface DeviceOrder {
  /** Best first. */
  readonly providers: readonly ProviderName[];
  /** The only device the user wants; it may be slower than the CPU. */
  readonly pinned: ProviderName | null;
  /** Devices that were ruled out before, with the reason. */
  readonly refused: TrainedOn['refused'];
}

export type ProbeStep = (test: StepTest) => Promise<ProbeOutcome>;

export const STEP_PROBE_TIMEOUT_MS = 120_000;

export const probeStepInChildProcess: ProbeStep = (test) => askChildProcess('train-probe', test, STEP_PROBE_TIMEOUT_MS);

/** A step to be trained, under a key that is the same for steps of the same graph. */
export interface TrainedStep extends Omit<StepTest, 'provider' | 'forward'> {
  readonly key: string;
  /** See `StepTest`; made only where there is a device to try. */
  readonly forward?: () => OnnxModel;
}

export const CPU_ONLY: DeviceOrder = { providers: ['cpu'], pinned: null, refused: [] };

/**
 * Finds what a training runs on. A device is trusted only after one of its own steps agreed with the CPU in a child
 * process and, unless the user pinned it, was faster; where it fails in mid-run the next one takes over. Why others are
 * not used is kept with the result.
 */
export class TrainingDevices {
  readonly #order: DeviceOrder;
  readonly #probe: ProbeStep;
  /** Verdicts by provider and step; null = trusted. */
  readonly #verdicts: Map<string, string | null>;

  /** @param verdicts may be shared by several trainings, so that each graph is tried once. */
  constructor(
    order: DeviceOrder = CPU_ONLY,
    probe: ProbeStep = probeStepInChildProcess,
    verdicts: Map<string, string | null> = new Map(),
  ) {
    this.#order = order;
    this.#probe = probe;
    this.#verdicts = verdicts;
  }

  /**
   * Trains on the best device; `train` begins anew (or after what it has kept) on each that is tried.
   *
   * @throws what `train` throws on the CPU, and on any device what is not the device's failure.
   */
  async run<T extends object>(
    step: TrainedStep,
    train: (provider: ProviderName) => Promise<T>,
  ): Promise<T & { readonly trainedOn: TrainedOn }> {
    const refused = [...this.#order.refused];
    for (const provider of this.#order.providers.filter((each) => each !== 'cpu')) {
      const reason = (await this.#verdict(provider, step)) ?? null;
      if (reason === null) {
        try {
          return { ...(await train(provider)), trainedOn: { device: deviceLabel(provider), refused } };
        } catch (error) {
          if (!(error instanceof AppError) || error.code !== 'DeviceFailed') throw error;
          const stopped = `It stopped in the middle of the training (${firstLine(error.detail || error.message)}).`;
          this.#verdicts.set(keyOf(provider, step), stopped);
          refused.push({ name: deviceLabel(provider), reason: stopped });
        }
      } else refused.push({ name: deviceLabel(provider), reason });
    }
    return { ...(await train('cpu')), trainedOn: { device: deviceLabel('cpu'), refused } };
  }

  async #verdict(provider: ProviderName, step: TrainedStep): Promise<string | null> {
    const key = keyOf(provider, step);
    const known = this.#verdicts.get(key);
    if (known !== undefined) return known;
    const { key: _, forward, ...rest } = step;
    const test = forward === undefined ? rest : { ...rest, forward: forward() };
    const verdict = refusal(await this.#probe({ provider, ...test }), this.#order.pinned === provider);
    this.#verdicts.set(key, verdict);
    return verdict;
  }
}

const keyOf = (provider: ProviderName, { key }: TrainedStep): string => `${provider} ${key}`;

function firstLine(text: string): string {
  const [line = ''] = text.split('\n');
  return line.length > 160 ? `${line.slice(0, 160)}…` : line;
}
