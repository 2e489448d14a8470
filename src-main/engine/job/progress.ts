import type { JobProgress, ProgressUnit } from '../../../src-shared/model/job.ts';

/** What a runner says: how far it is in a stage. `total` is 0 while unknown. */
export interface ProgressReport {
  readonly stage: string;
  readonly done: number;
  readonly total: number;
  readonly unit?: ProgressUnit;
}

/** Seconds over which the rate is averaged: long enough to steady the time left, short enough to follow a change. */
const TIME_CONSTANT_S = 8;

export const NO_PROGRESS: JobProgress = { stage: '', done: 0, total: 0, perSecond: null, secondsLeft: null };

/**
 * Turns reports into a smoothed rate and a time left. The rate is an exponentially weighted average over time, its
 * weights normalised by how much time they cover (the bias correction of Kingma & Ba 2015, section 3, with irregular
 * steps), so that the first estimate is already the plain average. What was done before the first report of a stage
 * (a resumed run) does not count as speed; a new stage starts anew.
 */
export class ProgressMeter {
  private last: (ProgressReport & { readonly atMs: number }) | null = null;
  private weightedRate = 0;
  private weight = 0;

  /** Takes a report made at `nowMs` (any steady clock, milliseconds). */
  observe(report: ProgressReport, nowMs: number): JobProgress {
    const { last } = this;
    if (last === null || last.stage !== report.stage || report.done < last.done) {
      this.weightedRate = 0;
      this.weight = 0;
      this.last = { ...report, atMs: nowMs };
    } else if (nowMs > last.atMs && report.done > last.done) {
      const elapsedS = (nowMs - last.atMs) / 1000;
      const share = 1 - Math.exp(-elapsedS / TIME_CONSTANT_S);
      this.weightedRate += share * ((report.done - last.done) / elapsedS - this.weightedRate);
      this.weight += share * (1 - this.weight);
      this.last = { ...report, atMs: nowMs };
    }
    const perSecond = this.weight === 0 ? null : this.weightedRate / this.weight;
    const known = perSecond !== null && perSecond > 0 && report.total > 0;
    const secondsLeft = known ? Math.max(0, report.total - report.done) / perSecond : null;
    return { ...report, perSecond, secondsLeft };
  }
}
