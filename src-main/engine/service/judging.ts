import { AppError } from '../../../src-shared/errors.ts';
import type { Ensemble } from '../learn/ensemble.ts';

/** What is known of a judgement at any time of its making. */
export interface SoFar {
  readonly ensemble: Ensemble;
  /** Heads there will be in all. */
  readonly of: number;
}

interface Waiter<State> {
  readonly moreThan: number;
  readonly resolve: (state: State) => void;
  readonly reject: (error: unknown) => void;
}

/** Earlier pictures that can still be asked for by their number of heads: one is described, then its values fetched. */
const KEPT_PICTURES = 3;

/**
 * A judgement while it is made, for all who wait for it: some want it whole, some want to see each next state of it. It
 * is given up when those who watched leave and nobody wants the whole.
 */
export class Judging<State extends SoFar> {
  readonly #whole: Promise<State>;
  readonly #stop = new AbortController();
  readonly #pictures = new Map<number, State>();
  readonly #watching = new Set<Waiter<State>>();
  #latest: State | null = null;
  #forWhole = 0;

  /** @param make gives the whole; told of each state before. Throws Cancelled soon after the signal. */
  constructor(make: (onSoFar: (state: State) => void, signal: AbortSignal) => Promise<State>) {
    this.#whole = make((state) => this.#note(state), this.#stop.signal).then((state) => {
      this.#note(state);
      return state;
    });
    this.#whole.catch((error: unknown) => {
      for (const { reject } of this.#watching) reject(error);
      this.#watching.clear();
    });
  }

  /** Settles with the whole, or its failure; waiting here keeps nothing alive. */
  get done(): Promise<State> {
    return this.#whole;
  }

  get isGivenUp(): boolean {
    return this.#stop.signal.aborted;
  }

  async whole(): Promise<State> {
    this.#forWhole++;
    try {
      return await this.#whole;
    } finally {
      this.#forWhole--;
    }
  }

  /** The first state with more heads than `heads`. Throws Cancelled after `leave`. */
  async moreThan(heads: number): Promise<State> {
    const latest = this.#latest;
    if (latest !== null && (latest.ensemble.heads > heads || latest.ensemble.heads === latest.of)) return latest;
    return await new Promise<State>((resolve, reject) => {
      this.#watching.add({ moreThan: heads, resolve, reject });
    });
  }

  /** The state with just so many heads, if it is still here. */
  at(heads: number): State | null {
    return this.#pictures.get(heads) ?? null;
  }

  /**
   * One who watched has left. Watchers cannot be told apart, so all are sent away: who is still there asks again. Given up
   * where nobody wants the whole.
   */
  leave(): void {
    if (this.#latest !== null && this.#latest.ensemble.heads === this.#latest.of) return;
    for (const { reject } of this.#watching) reject(new AppError('Cancelled', 'The map is no longer wanted.'));
    this.#watching.clear();
    if (this.#forWhole === 0) this.#stop.abort();
  }

  #note(state: State): void {
    this.#latest = state;
    this.#pictures.set(state.ensemble.heads, state);
    const [oldest] = this.#pictures.keys();
    if (this.#pictures.size > KEPT_PICTURES && oldest !== undefined) this.#pictures.delete(oldest);
    for (const waiter of this.#watching) {
      if (state.ensemble.heads <= waiter.moreThan && state.ensemble.heads < state.of) continue;
      this.#watching.delete(waiter);
      waiter.resolve(state);
    }
  }
}
