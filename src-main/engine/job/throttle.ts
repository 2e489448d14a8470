/**
 * Calls `act` at once, then at most every `intervalMs`; a request in between is kept and served at the end of the
 * interval, so that the last one is never lost.
 */
export class Throttle {
  private readonly intervalMs: number;
  private readonly act: () => void;
  private timer: NodeJS.Timeout | null = null;
  private wanted = false;

  constructor(intervalMs: number, act: () => void) {
    this.intervalMs = intervalMs;
    this.act = act;
  }

  request(): void {
    if (this.timer !== null) {
      this.wanted = true;
      return;
    }
    this.act();
    this.timer = setTimeout(() => {
      this.timer = null;
      if (!this.wanted) return;
      this.wanted = false;
      this.request();
    }, this.intervalMs);
    this.timer.unref();
  }

  /** Drops what waits. */
  stop(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.wanted = false;
  }
}
