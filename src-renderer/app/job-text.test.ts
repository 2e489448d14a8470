import { describe, expect, it } from 'vitest';
import { asId } from '../../src-shared/model/ids.ts';
import type { Job } from '../../src-shared/model/job.ts';
import { describeAmounts, describeJob, describeProgress, shareDone } from './job-text.ts';

const job = (over: Partial<Job>): Job => ({
  id: asId('j'),
  kind: 'analyse',
  title: 'random-resnet18 at layer4',
  state: 'running',
  progress: { stage: 'Computing features', done: 120, total: 480, perSecond: 38.4, secondsLeft: 9.4 },
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
    expect(describeProgress(job({}))).toBe('Computing features · 120 of 480 · 38 tiles/s · 9 s left');
    expect(describeAmounts(job({}))).toBe('120 of 480 · 38 tiles/s · 9 s left');
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

  it('gives a study no speed in tiles, because it counts epochs too', () => {
    expect(describeProgress(job({ kind: 'study' }))).toBe('Computing features · 120 of 480 · 9 s left');
    expect(describeJob(job({ kind: 'study', state: 'interrupted' }))).toBe(
      'Interrupted at 120 of 480; what was computed is kept',
    );
  });

  it('gives the reason of a failure', () => {
    const error = { code: 'DiskFull', message: 'The disk is full.', advice: 'Free some space.', detail: '' } as const;
    expect(describeJob(job({ state: 'failed', error }))).toBe('The disk is full.');
  });
});
