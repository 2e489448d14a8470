import { describe, expect, it } from 'vitest';
import { asId } from '../../src-shared/model/ids.ts';
import type { Job } from '../../src-shared/model/job.ts';
import { describeAmounts, describeJob, describeProgress, shareDone } from './job-text.ts';

const job = (over: Partial<Job>): Job => ({
  id: asId('j'),
  kind: 'analyse',
  title: 'random-resnet18 at layer4',
  state: 'running',
  progress: { stage: 'Computing features', done: 120, total: 480, unit: 'tiles', perSecond: 38.4, secondsLeft: 9.4 },
  slideId: null,
  runId: null,
  error: null,
  createdAtMs: 0,
  finishedAtMs: null,
  resumable: false,
  ...over,
});

describe('words for a job', () => {
  it('says stage, count, speed and time left', () => {
    expect(describeProgress(job({}))).toBe('Computing features · 120 of 480 tiles · 38 tiles/s · 9 s left');
    expect(describeAmounts(job({}))).toBe('120 of 480 tiles · 38 tiles/s · 9 s left');
    expect(shareDone(job({}))).toBe(0.25);
  });

  it('leaves out what is not known yet', () => {
    const progress = { stage: 'Finding tissue', done: 0, total: 0, perSecond: null, secondsLeft: null };
    expect(describeProgress(job({ progress }))).toBe('Finding tissue');
    expect(shareDone(job({ progress }))).toBeNull();
  });

  it('says that interrupted work is kept, and how far it came', () => {
    expect(describeJob(job({ state: 'interrupted', resumable: true }))).toBe(
      'Interrupted at 120 of 480 tiles; what was computed is kept',
    );
  });

  it('says what is counted, a speed in tiles and bytes only', () => {
    const of = (unit: Job['progress']['unit'], done: number, total: number) =>
      job({ progress: { stage: 'Training', done, total, ...(unit && { unit }), perSecond: 38.4, secondsLeft: null } });
    expect(describeProgress(of('epochs', 143, 540))).toBe('Training · 143 of 540 epochs');
    expect(describeProgress(of('heads', 0, 1))).toBe('Training · 0 of 1 head');
    expect(describeProgress(of('bytes', 1_500_000, 3_000_000))).toBe('Training · 1.5 MB of 3.0 MB · 38 B/s');
    // A job that was stored before units were.
    expect(describeProgress(of(undefined, 143, 540))).toBe('Training · 143 of 540');
    expect(describeJob({ ...of('slides', 0, 5), state: 'cancelled', resumable: true })).toBe(
      'Cancelled at 0 of 5 slides; what was computed is kept',
    );
  });

  it('gives the reason of a failure', () => {
    const error = { code: 'DiskFull', message: 'The disk is full.', advice: 'Free some space.', detail: '' } as const;
    expect(describeJob(job({ state: 'failed', error }))).toBe('The disk is full.');
  });
});
