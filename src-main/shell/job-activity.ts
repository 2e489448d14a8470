import type { EngineEvent } from '../../src-shared/api/events.ts';
import type { Job } from '../../src-shared/model/job.ts';

/** Electron draws an indeterminate bar for values above 1 and none below 0. */
const INDETERMINATE = 2;
const NO_BAR = -1;

export interface ActivityEffects {
  /** Keeps the machine awake while true. */
  keepAwake(on: boolean): void;
  /** Value for the bar in taskbar or dock, as `BrowserWindow.setProgressBar` takes it. */
  showProgress(value: number): void;
}

/** Follows the engine's jobs: no sleep while one runs, and the mean of their progress in the taskbar. */
export class JobActivity {
  readonly #effects: ActivityEffects;
  readonly #running = new Map<string, Job>();
  #awake = false;
  #shown = NO_BAR;

  constructor(effects: ActivityEffects) {
    this.#effects = effects;
  }

  /** What the bar shows now, for a window opened meanwhile. */
  get progress(): number {
    return this.#shown;
  }

  note(event: EngineEvent): void {
    if (event.type !== 'job') return;
    if (event.job.state === 'running') this.#running.set(event.job.id, event.job);
    else this.#running.delete(event.job.id);
    this.#apply();
  }

  /** The engine died: nothing runs until it says so again. */
  clear(): void {
    this.#running.clear();
    this.#apply();
  }

  #apply(): void {
    const awake = this.#running.size > 0;
    if (awake !== this.#awake) this.#effects.keepAwake(awake);
    this.#awake = awake;
    const shown = meanProgress([...this.#running.values()]);
    if (shown !== this.#shown) this.#effects.showProgress(shown);
    this.#shown = shown;
  }
}

/** Mean of done / total over the jobs that know their total, to the percent; what the progress bar takes. */
function meanProgress(jobs: readonly Job[]): number {
  if (jobs.length === 0) return NO_BAR;
  const known = jobs.filter(({ progress }) => progress.total > 0);
  if (known.length === 0) return INDETERMINATE;
  const sum = known.reduce((total, { progress }) => total + progress.done / progress.total, 0);
  return Math.min(1, Math.round((100 * sum) / known.length) / 100);
}
