import type { EngineEvent } from '../../src-shared/api/events.ts';
import type { JobId } from '../../src-shared/model/ids.ts';

/** How often a job may have been running when the engine died and still be continued without being asked. */
const MAX_CRASHES_OF_A_JOB = 1;

/** Remembers which jobs run, so that they go on after a crash; a job that brings the engine down again is left alone. */
export class CrashedJobs {
  readonly #running = new Set<JobId>();
  readonly #crashes = new Map<JobId, number>();
  #toResume: JobId[] = [];

  note(event: EngineEvent): void {
    if (event.type !== 'job') return;
    const { id, state } = event.job;
    if (state === 'running' || state === 'queued') this.#running.add(id);
    else this.#running.delete(id);
    if (state === 'done' || state === 'cancelled') this.#crashes.delete(id);
  }

  engineDied(): void {
    for (const id of this.#running) {
      const crashes = (this.#crashes.get(id) ?? 0) + 1;
      this.#crashes.set(id, crashes);
      if (crashes <= MAX_CRASHES_OF_A_JOB) this.#toResume.push(id);
    }
    this.#running.clear();
  }

  /** The jobs to continue now; empty on the next call. */
  takeResumable(): readonly JobId[] {
    const jobs = this.#toResume;
    this.#toResume = [];
    return jobs;
  }
}
