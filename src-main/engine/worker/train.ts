import { parentPort } from 'node:worker_threads';
import { type ErrorPayload, fromErrorPayload, toErrorPayload } from '../../../src-shared/errors.ts';
import { ADAM } from '../graph/optimise/optimiser.ts';
import type { ProbeOutcome } from '../infer/probe.ts';
import type { ProviderName } from '../infer/protocol.ts';
import { type BagPrediction, HeadEvaluator, type HeadWeights } from '../learn/evaluate-head.ts';
import { type FineTuneFile, fineTuneFile, type TunedFile } from '../learn/fine-tune/fine-tune-file.ts';
import type { PixelBag } from '../learn/fine-tune/fine-tuning.ts';
import { evaluationGraph } from '../learn/head-graph.ts';
import type { HeadSpec } from '../learn/head-spec.ts';
import type { StepTest } from '../learn/step-self-test.ts';
import { type Bag, type EpochRecord, type HeadTraining, type TrainedHead, trainHead } from '../learn/train-head.ts';
import { type DeviceOrder, TrainingDevices } from '../learn/training-devices.ts';

/** What the training thread is asked; one job at a time. */
export type TrainCommand =
  | {
      readonly type: 'train';
      readonly id: number;
      readonly training: HeadTraining;
      readonly devices: DeviceOrder;
      readonly trainCount: number;
      readonly validationCount: number;
    }
  | {
      readonly type: 'predict';
      readonly id: number;
      readonly devices: DeviceOrder;
      readonly spec: HeadSpec;
      readonly weights: HeadWeights;
      readonly features: Float32Array;
    }
  | {
      readonly type: 'fine-tune';
      readonly id: number;
      readonly request: FineTuneFile;
      readonly devices: DeviceOrder;
      readonly trainCount: number;
      readonly validationCount: number;
    }
  | {
      readonly type: 'bag';
      readonly part: 'train' | 'validation';
      readonly index: number;
      readonly bag: Bag | PixelBag;
    }
  | {
      readonly type: 'no-bag';
      readonly part: 'train' | 'validation';
      readonly index: number;
      readonly error: ErrorPayload;
    }
  | { readonly type: 'probed'; readonly id: number; readonly outcome: ProbeOutcome }
  | { readonly type: 'cancel' };

export type TrainAnswer =
  | { readonly type: 'need'; readonly part: 'train' | 'validation'; readonly index: number }
  | { readonly type: 'epoch'; readonly record: EpochRecord }
  | { readonly type: 'trained'; readonly id: number; readonly head: TrainedHead }
  /** Asks for a device to be tried: how a process is started for that is the host's matter. */
  | { readonly type: 'probe'; readonly id: number; readonly test: StepTest }
  | { readonly type: 'step'; readonly done: number }
  | { readonly type: 'tuned'; readonly id: number; readonly tuned: TunedFile }
  | { readonly type: 'predicted'; readonly id: number; readonly prediction: BagPrediction }
  | { readonly type: 'failed'; readonly id: number; readonly error: ErrorPayload };

/** What was found of devices, for each choice of the user's: a graph is tried once while the thread lives. */
const verdicts = new Map<string, Map<string, string | null>>();

function devicesOf(order: DeviceOrder): TrainingDevices {
  const key = JSON.stringify(order);
  const known = verdicts.get(key) ?? new Map<string, string | null>();
  verdicts.set(key, known);
  return new TrainingDevices(order, probeThroughParent, known);
}

const port = parentPort;
const waiting = new Map<string, { resolve: (bag: Bag | PixelBag) => void; reject: (error: unknown) => void }>();
let cancel = new AbortController();
/** The head asked last: heads of one study differ in weights and seed only, and opening a session takes longer than a bag. */
let open: { readonly graph: string; readonly evaluator: HeadEvaluator } | null = null;

const probes = new Map<number, (outcome: ProbeOutcome) => void>();
let nextProbe = 1;

const answer = (message: TrainAnswer): void => port?.postMessage(message);

port?.on('message', (command: TrainCommand) => {
  if (command.type === 'train') void train(command);
  else if (command.type === 'fine-tune') void fineTune(command);
  else if (command.type === 'predict') void predict(command);
  else if (command.type === 'cancel') cancel.abort();
  else if (command.type === 'probed') probed(command);
  else deliver(command);
});

function probeThroughParent(test: StepTest): Promise<ProbeOutcome> {
  return new Promise((resolve) => {
    const id = nextProbe++;
    probes.set(id, resolve);
    answer({ type: 'probe', id, test });
  });
}

function probed({ id, outcome }: Extract<TrainCommand, { type: 'probed' }>): void {
  probes.get(id)?.(outcome);
  probes.delete(id);
}

function deliver(command: Extract<TrainCommand, { type: 'bag' | 'no-bag' }>): void {
  const key = `${command.part}${command.index}`;
  const asked = waiting.get(key);
  waiting.delete(key);
  if (command.type === 'bag') asked?.resolve(command.bag);
  else asked?.reject(fromErrorPayload(command.error));
}

/** Bags come from the thread that holds the store, one at a time. */
function remoteBags<T extends Bag | PixelBag>(part: 'train' | 'validation', count: number) {
  return {
    count,
    get: (index: number): Promise<T> =>
      new Promise((resolve, reject) => {
        // The asker and the giver of a job agree on the kind of bag.
        waiting.set(`${part}${index}`, { resolve: (bag) => resolve(bag as T), reject });
        answer({ type: 'need', part, index });
      }),
  };
}

async function train(command: Extract<TrainCommand, { type: 'train' }>): Promise<void> {
  cancel = new AbortController();
  try {
    const head = await trainHead(
      command.training,
      remoteBags<Bag>('train', command.trainCount),
      remoteBags<Bag>('validation', command.validationCount),
      {
        onEpoch: (record) => answer({ type: 'epoch', record }),
        signal: cancel.signal,
        devices: devicesOf(command.devices),
      },
    );
    answer({ type: 'trained', id: command.id, head });
  } catch (error) {
    answer({ type: 'failed', id: command.id, error: toErrorPayload(error) });
  }
}

async function fineTune(command: Extract<TrainCommand, { type: 'fine-tune' }>): Promise<void> {
  cancel = new AbortController();
  try {
    const tuned = await fineTuneFile(
      command.request,
      remoteBags<PixelBag>('train', command.trainCount),
      remoteBags<PixelBag>('validation', command.validationCount),
      {
        onStep: (done) => answer({ type: 'step', done }),
        onEpoch: (record) => answer({ type: 'epoch', record }),
        devices: devicesOf(command.devices),
        signal: cancel.signal,
      },
    );
    answer({ type: 'tuned', id: command.id, tuned });
  } catch (error) {
    answer({ type: 'failed', id: command.id, error: toErrorPayload(error) });
  }
}

async function predict(command: Extract<TrainCommand, { type: 'predict' }>): Promise<void> {
  try {
    const { id, spec, weights, features } = command;
    const forward = { ...UNTRAINED, key: `forward ${shapeOf(spec)}`, forward: () => evaluationGraph(spec).model };
    const { trainedOn, ...prediction } = await devicesOf(command.devices).run(forward, async (provider) => {
      return await (await evaluatorOf(spec, weights, provider)).predict(features);
    });
    answer({ type: 'predicted', id, prediction: { ...prediction, evaluatedOn: trainedOn } });
  } catch (error) {
    answer({ type: 'failed', id: command.id, error: toErrorPayload(error) });
  }
}

/** For a head that is only run forward. */
const UNTRAINED = { step: null, optimiser: ADAM, groups: [], threads: 0 };

const shapeOf = (spec: HeadSpec): string => JSON.stringify({ ...spec, seed: 0 });

/** Commands come one at a time: the evaluator is never replaced under a prediction. */
async function evaluatorOf(spec: HeadSpec, weights: HeadWeights, provider: ProviderName): Promise<HeadEvaluator> {
  const graph = `${provider} ${shapeOf(spec)}`;
  if (open?.graph !== graph) {
    const closing = open?.evaluator.close();
    open = null;
    await closing;
    open = { graph, evaluator: await HeadEvaluator.open(spec, weights, 0, provider) };
  }
  open.evaluator.weights = weights;
  return open.evaluator;
}
