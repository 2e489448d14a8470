import { Worker } from 'node:worker_threads';
import { AppError, fromErrorPayload, toErrorPayload } from '../../../src-shared/errors.ts';
import type { TrainAnswer, TrainCommand } from '../worker/train.ts';
import { workerUrl } from '../worker/worker-url.ts';
import type { BagPrediction, HeadWeights } from './evaluate-head.ts';
import type { FineTuneFile, TunedFile } from './fine-tune/fine-tune-file.ts';
import type { FineTuningHooks, PixelBagSet } from './fine-tune/fine-tuning.ts';
import type { HeadSpec } from './head-spec.ts';
import type { BagSet, HeadTraining, TrainedHead, TrainingHooks } from './train-head.ts';
import { CPU_ONLY, type DeviceOrder, type ProbeStep, probeStepInChildProcess } from './training-devices.ts';

type AnyBagSet = BagSet | PixelBagSet;

interface Running {
  readonly settle: (answer: TrainAnswer) => void;
  readonly fail: (error: unknown) => void;
  readonly bags: { readonly train: AnyBagSet; readonly validation: AnyBagSet } | null;
  readonly hooks: TrainingHooks & Pick<FineTuningHooks, 'onStep'>;
}

/** The training thread as its clients see it: long-lived, one job at a time, bags fetched when they are needed. */
export class TrainingWorker {
  readonly #worker = new Worker(workerUrl('train'), { name: 'train' });
  readonly #running = new Map<number, Running>();
  #turn: Promise<unknown> = Promise.resolve();
  #nextId = 1;
  readonly #devices: () => Promise<DeviceOrder>;
  readonly #probe: ProbeStep;

  /**
   * @param devices asked at the start of each training; the CPU alone where left out.
   * @param probe tries a device in a process of its own.
   */
  constructor(
    devices: () => Promise<DeviceOrder> = () => Promise.resolve(CPU_ONLY),
    probe: ProbeStep = probeStepInChildProcess,
  ) {
    this.#devices = devices;
    this.#probe = probe;
    this.#worker.unref();
    this.#worker.on('message', (answer: TrainAnswer) => this.#receive(answer));
    this.#worker.on('error', (cause) => this.#failAll(cause));
    this.#worker.on('exit', () => this.#failAll(null));
  }

  /** `trainHead` on the training thread. Throws what it throws, and Cancelled after the signal. */
  async train(
    training: HeadTraining,
    train: BagSet,
    validation: BagSet,
    hooks: TrainingHooks = {},
  ): Promise<TrainedHead> {
    return await this.#inTurn(async () => {
      if (hooks.signal?.aborted) throw new AppError('Cancelled', 'Training was cancelled.');
      const stop = (): void => this.#post({ type: 'cancel' });
      hooks.signal?.addEventListener('abort', stop, { once: true });
      const id = this.#nextId++;
      const command: TrainCommand = {
        type: 'train',
        id,
        training,
        devices: await this.#devices(),
        trainCount: train.count,
        validationCount: validation.count,
      };
      try {
        const answer = await this.#ask(id, command, { train, validation }, hooks);
        if (answer.type !== 'trained') throw new AppError('Internal', 'The training thread gave another answer.');
        return answer.head;
      } finally {
        hooks.signal?.removeEventListener('abort', stop);
      }
    });
  }

  /** `fineTuneFile` on the training thread. Throws what it throws, and Cancelled after the signal. */
  async fineTune(
    request: FineTuneFile,
    train: PixelBagSet,
    validation: PixelBagSet,
    hooks: Omit<FineTuningHooks, 'devices'> = {},
  ): Promise<TunedFile> {
    return await this.#inTurn(async () => {
      if (hooks.signal?.aborted) throw new AppError('Cancelled', 'Fine-tuning was cancelled.');
      const stop = (): void => this.#post({ type: 'cancel' });
      hooks.signal?.addEventListener('abort', stop, { once: true });
      const id = this.#nextId++;
      const counts = { trainCount: train.count, validationCount: validation.count };
      try {
        const command = { type: 'fine-tune', id, request, devices: await this.#devices(), ...counts } as const;
        const answer = await this.#ask(id, command, { train, validation }, hooks);
        if (answer.type !== 'tuned') throw new AppError('Internal', 'The training thread gave another answer.');
        return answer.tuned;
      } finally {
        hooks.signal?.removeEventListener('abort', stop);
      }
    });
  }

  /** `HeadEvaluator.predict` on the training thread. @param features tiles x featureDim; shared or copied. */
  async predict(spec: HeadSpec, weights: HeadWeights, features: Float32Array): Promise<BagPrediction> {
    return await this.#inTurn(async () => {
      const id = this.#nextId++;
      const devices = await this.#devices();
      const answer = await this.#ask(id, { type: 'predict', id, devices, spec, weights, features }, null, {});
      if (answer.type !== 'predicted') throw new AppError('Internal', 'The training thread gave another answer.');
      return answer.prediction;
    });
  }

  /** Waits for the job under way, then ends the thread. */
  async close(): Promise<void> {
    await this.#turn;
    this.#worker.removeAllListeners('exit');
    await this.#worker.terminate();
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  #ask(id: number, command: TrainCommand, bags: Running['bags'], hooks: Running['hooks']): Promise<TrainAnswer> {
    return new Promise((settle, fail) => {
      this.#running.set(id, { settle, fail, bags, hooks });
      this.#worker.ref();
      this.#post(command);
    });
  }

  #receive(answer: TrainAnswer): void {
    if (answer.type === 'need') void this.#deliver(answer);
    else if (answer.type === 'probe') void this.#try(answer);
    else if (answer.type === 'step') for (const { hooks } of this.#running.values()) hooks.onStep?.(answer.done);
    else if (answer.type === 'epoch') for (const { hooks } of this.#running.values()) hooks.onEpoch?.(answer.record);
    else {
      const running = this.#running.get(answer.id);
      this.#running.delete(answer.id);
      if (this.#running.size === 0) this.#worker.unref();
      if (answer.type === 'failed') running?.fail(fromErrorPayload(answer.error));
      else running?.settle(answer);
    }
  }

  /** Probes never reject: a device that cannot be tried is an outcome. */
  async #try({ id, test }: Extract<TrainAnswer, { type: 'probe' }>): Promise<void> {
    this.#post({ type: 'probed', id, outcome: await this.#probe(test) });
  }

  async #deliver({ part, index }: Extract<TrainAnswer, { type: 'need' }>): Promise<void> {
    const [running] = this.#running.values();
    const bags = running?.bags?.[part];
    try {
      if (bags === undefined) throw new AppError('Internal', 'No training is under way.');
      this.#post({ type: 'bag', part, index, bag: await bags.get(index) });
    } catch (error) {
      this.#post({ type: 'no-bag', part, index, error: toErrorPayload(error) });
    }
  }

  #post(command: TrainCommand): void {
    this.#worker.postMessage(command);
  }

  #failAll(cause: unknown): void {
    for (const { fail } of this.#running.values()) {
      fail(new AppError('Internal', 'The training thread ended unexpectedly.', { advice: 'Train again.', cause }));
    }
    this.#running.clear();
  }
}
