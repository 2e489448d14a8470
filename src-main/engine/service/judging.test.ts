import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src-shared/errors.ts';
import type { Ensemble } from '../learn/ensemble.ts';
import { Judging, type SoFar } from './judging.ts';

const state = (heads: number): SoFar => ({ of: 5, ensemble: { heads } as Ensemble });

/** A judgement whose maker is in the test's hands. */
function judged() {
  let tell: (state: SoFar) => void = () => {};
  let finish: (state: SoFar) => void = () => {};
  let stopped = false;
  const judging = new Judging<SoFar>((onSoFar, signal) => {
    tell = onSoFar;
    return new Promise((resolve, reject) => {
      finish = resolve;
      signal.addEventListener('abort', () => {
        stopped = true;
        reject(new AppError('Cancelled', 'No longer wanted.'));
      });
    });
  });
  return {
    judging,
    tell: (heads: number) => tell(state(heads)),
    finish: () => finish(state(5)),
    hasStopped: () => stopped,
  };
}

const headsOf = async (asked: Promise<SoFar>): Promise<number> => (await asked).ensemble.heads;

describe('a judgement under way', () => {
  it('gives each who watches the next picture, the latest to who comes later, and the whole to all', async () => {
    const { judging, tell, finish } = judged();
    const first = headsOf(judging.moreThan(0));
    const whole = headsOf(judging.whole());
    tell(1);
    expect(await first).toBe(1);
    const second = headsOf(judging.moreThan(1));
    tell(3);
    expect(await second).toBe(3);
    expect(await headsOf(judging.moreThan(0))).toBe(3);
    // What was described can still be fetched.
    expect(judging.at(1)?.ensemble.heads).toBe(1);
    finish();
    expect(await whole).toBe(5);
    expect(await headsOf(judging.moreThan(5))).toBe(5);
  });

  it('is given up when who watched leaves, but not while somebody wants the whole', async () => {
    const left = judged();
    const watching = left.judging.moreThan(0);
    left.judging.leave();
    await expect(watching).rejects.toMatchObject({ code: 'Cancelled' });
    expect([left.hasStopped(), left.judging.isGivenUp]).toEqual([true, true]);

    const wanted = judged();
    const whole = headsOf(wanted.judging.whole());
    wanted.judging.leave();
    expect(wanted.hasStopped()).toBe(false);
    wanted.finish();
    expect(await whole).toBe(5);
    wanted.judging.leave();
    expect(wanted.judging.isGivenUp).toBe(false);
  });
});
