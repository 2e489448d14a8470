import { describe, expect, it } from 'vitest';
import { asId } from '../../../src-shared/model/ids.ts';
import type { Job, JobState } from '../../../src-shared/model/job.ts';
import { paceOf, secondsUntilDone } from './pace.ts';

const job = (state: JobState, done: number, total: number, perSecond: number | null = null, finishedAtMs = 0): Job => ({
  ...{ id: asId('j'), kind: 'extract', title: '', slideId: null, runId: null, error: null, createdAtMs: 0 },
  ...{ state, finishedAtMs, resumable: false },
  progress: { stage: '', done, total, perSecond, secondsLeft: null },
});

describe('the pace of an archive', () => {
  it('adds up tiles, and takes the present speed for all that is left', () => {
    const jobs = [job('done', 100, 100, 50), job('running', 40, 100, 20), job('queued', 0, 300), job('failed', 7, 90)];
    expect(paceOf(jobs)).toEqual({
      ...{ slides: 4, slidesDone: 1, slidesLeftOut: 1, tiles: 500, tilesDone: 140 },
      ...{ perSecond: 20, secondsLeft: 18 },
    });
  });

  it('goes by the slide done last between two slides, and says nothing before the first', () => {
    const jobs = [job('done', 1, 100, 50, 10), job('done', 100, 100, 25, 20), job('queued', 0, 300)];
    expect(paceOf(jobs)).toMatchObject({ perSecond: 25, secondsLeft: 12 });
    expect(paceOf([job('queued', 0, 300)])).toMatchObject({ perSecond: null, secondsLeft: null });
    expect(paceOf([job('done', 100, 100, 50)]).secondsLeft).toBeNull();
  });

  it('counts what stands before a slide in its time', () => {
    const waiting = [job('running', 50, 100, 10), job('queued', 20, 120)];
    const pace = paceOf(waiting);
    expect(waiting.map((each) => secondsUntilDone(each, waiting, pace))).toEqual([5, 15]);
  });
});
