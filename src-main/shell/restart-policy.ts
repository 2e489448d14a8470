export interface RestartLimits {
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  /** Crashes in a row after which the engine is left alone until the user asks. */
  readonly maxCrashes: number;
  /** An engine that has run this long counts as healthy: its next crash is the first of a new row. */
  readonly healthyAfterMs: number;
}

export const RESTART_LIMITS: RestartLimits = {
  firstDelayMs: 500,
  maxDelayMs: 30_000,
  maxCrashes: 3,
  healthyAfterMs: 60_000,
};

/** Whether and when to start a dead engine again: exponential back-off with a circuit breaker. */
export class RestartPolicy {
  readonly #limits: RestartLimits;
  #crashesInARow = 0;

  constructor(limits: RestartLimits = RESTART_LIMITS) {
    this.#limits = limits;
  }

  get crashesInARow(): number {
    return this.#crashesInARow;
  }

  /**
   * Notes a crash of an engine that was ready for `readyForMs` (0 when it never was).
   * @returns milliseconds until the next start, or null when the breaker opens
   */
  crashed(readyForMs: number): number | null {
    this.#crashesInARow = readyForMs >= this.#limits.healthyAfterMs ? 1 : this.#crashesInARow + 1;
    if (this.#crashesInARow >= this.#limits.maxCrashes) return null;
    return Math.min(this.#limits.maxDelayMs, this.#limits.firstDelayMs * 2 ** (this.#crashesInARow - 1));
  }

  /** Closes the breaker: the user asked for another start. */
  reset(): void {
    this.#crashesInARow = 0;
  }
}
