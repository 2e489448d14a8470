import { describe, expect, it } from 'vitest';
import { ProgressMeter } from './progress.ts';

describe('the progress of a job', () => {
  const meterAt = (rate: number, seconds: number, stepS = 0.25, from = 0): ReturnType<ProgressMeter['observe']> => {
    const meter = new ProgressMeter();
    let progress = meter.observe({ stage: 'a', done: from, total: 1000 }, 0);
    for (let t = stepS; t <= seconds; t += stepS) {
      progress = meter.observe({ stage: 'a', done: from + rate * t, total: 1000 }, t * 1000);
    }
    return progress;
  };

  it('knows no rate before the second report', () => {
    const meter = new ProgressMeter();
    expect(meter.observe({ stage: 'a', done: 500, total: 1000 }, 0)).toEqual({
      stage: 'a',
      done: 500,
      total: 1000,
      perSecond: null,
      secondsLeft: null,
    });
  });

  it('finds a steady rate exactly, from the first measurement on, and does not count what was done before', () => {
    for (const seconds of [0.25, 1, 30]) {
      const progress = meterAt(20, seconds, 0.25, 100);
      expect(progress.perSecond).toBeCloseTo(20, 9);
      expect(progress.secondsLeft).toBeCloseTo((900 - 20 * seconds) / 20, 9);
    }
  });

  it('does not depend on how often reports come', () => {
    expect(meterAt(20, 24, 0.25).perSecond).toBeCloseTo(meterAt(20, 24, 3).perSecond ?? 0, 9);
  });

  it('steadies bursts and follows a change', () => {
    const meter = new ProgressMeter();
    meter.observe({ stage: 'a', done: 0, total: 0 }, 0);
    const seen: number[] = [];
    for (let i = 1; i <= 60; i++) {
      const done = 16 * i;
      seen.push(meter.observe({ stage: 'a', done, total: 0 }, i * 1000 + (i % 2) * 400).perSecond ?? 0);
    }
    for (const rate of seen.slice(15)) expect(Math.abs(rate - 16)).toBeLessThan(3.5);
    let slow = 0;
    for (let i = 1; i <= 40; i++) {
      slow = meter.observe({ stage: 'a', done: 960 + 4 * i, total: 0 }, 60_000 + i * 1000).perSecond ?? 0;
    }
    expect(Math.abs(slow - 4)).toBeLessThan(0.5);
  });

  it('starts anew in a new stage', () => {
    const meter = new ProgressMeter();
    meter.observe({ stage: 'a', done: 0, total: 10 }, 0);
    meter.observe({ stage: 'a', done: 10, total: 10 }, 1000);
    expect(meter.observe({ stage: 'b', done: 0, total: 5 }, 2000).perSecond).toBeNull();
    expect(meter.observe({ stage: 'b', done: 1, total: 5 }, 4000).perSecond).toBeCloseTo(0.5, 9);
  });
});
