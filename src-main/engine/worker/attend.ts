import { parentPort } from 'node:worker_threads';
import { AppError, type ErrorPayload, toErrorPayload } from '../../../src-shared/errors.ts';
import type { Ensemble } from '../learn/ensemble.ts';
import type { HeadSpec } from '../learn/head-spec.ts';
import { type Judged, type JudgeRequest, judgeBag } from '../learn/judge-bag.ts';
import { TileEvaluator } from '../learn/tile-evaluator.ts';

/** What the thread of the maps is asked; one after another. */
export type AttendCommand =
  /** Opens the session for heads of this shape, while their features are still being read. */
  | { readonly type: 'prepare'; readonly spec: HeadSpec; readonly threads: number }
  | ({ readonly type: 'judge'; readonly id: number; readonly threads: number } & JudgeRequest)
  | { readonly type: 'cancel'; readonly id: number };

export type AttendAnswer =
  | { readonly type: 'so-far'; readonly id: number; readonly ensemble: Ensemble }
  | { readonly type: 'judged'; readonly id: number; readonly judged: Judged }
  | { readonly type: 'failed'; readonly id: number; readonly error: ErrorPayload };

const port = parentPort;
const cancelled = new Set<number>();
/** Heads of one shape share a session, which is kept for the next slide. */
let open: { readonly shape: string; readonly evaluator: TileEvaluator } | null = null;

let turn: Promise<void> = Promise.resolve();

const answer = (message: AttendAnswer): void => port?.postMessage(message);

port?.on('message', (command: AttendCommand) => {
  if (command.type === 'cancel') cancelled.add(command.id);
  else turn = turn.then(() => (command.type === 'judge' ? judge(command) : prepare(command)));
});

async function judge(command: Extract<AttendCommand, { type: 'judge' }>): Promise<void> {
  const { id } = command;
  try {
    const judged = await judgeBag(await evaluatorOf(command.spec, command.threads), command, {
      onSoFar: (soFar) => answer({ type: 'so-far', id, ensemble: soFar }),
      onPart: () => {
        if (cancelled.has(id)) throw new AppError('Cancelled', 'The map is no longer wanted.');
      },
    });
    answer({ type: 'judged', id, judged });
  } catch (error) {
    answer({ type: 'failed', id, error: toErrorPayload(error) });
  } finally {
    cancelled.delete(id);
  }
}

/** What goes wrong here goes wrong again, and is told, when a bag is judged. */
async function prepare({ spec, threads }: Extract<AttendCommand, { type: 'prepare' }>): Promise<void> {
  await evaluatorOf(spec, threads).catch(() => undefined);
}

/** Commands come one at a time: the evaluator is never replaced under a bag. */
async function evaluatorOf(spec: HeadSpec, threads: number): Promise<TileEvaluator> {
  const shape = JSON.stringify({ ...spec, seed: 0, threads });
  if (open?.shape === shape) return open.evaluator;
  const closing = open?.evaluator.close();
  open = null;
  await closing;
  open = { shape, evaluator: await TileEvaluator.open(spec, threads) };
  return open.evaluator;
}
