import { expect, it } from 'vitest';
import { nextGaussian, seededRandom } from '../../../src-shared/numeric/random.ts';
import { probePart } from './probe-part.ts';
import { ProbePool } from './probe-pool.ts';

const random = seededRandom(3);
const [count, dim] = [60, 8];
const input = {
  samples: { data: Float64Array.from({ length: count * dim }, () => nextGaussian(random)), count, dim },
  labels: Uint32Array.from({ length: count }, (_, i) => i % 2),
  classes: 2,
  groups: Array.from({ length: count }, (_, i) => `group ${i}`),
  gram: null,
};
const train = Array.from({ length: 40 }, (_, i) => i);
const part = { seed: 1, fold: 0, train, test: Array.from({ length: 20 }, (_, i) => 40 + i) };
const job = { input, parts: [part], settings: { kind: 'svm', standardise: true } as const };

it('fits on a thread what is fitted here, and passes on what is wrong', async () => {
  const pool = new ProbePool(1);
  try {
    const [found] = await pool.fit(job);
    expect(found).toEqual(probePart({ ...input }, part, job.settings));
    const alone = { ...job, parts: [{ ...part, train: [0, 1, 2, 4] }] };
    await expect(pool.fit(alone)).rejects.toMatchObject({ code: 'InvalidRequest' });
  } finally {
    await pool.close();
  }
});

it('gives up at once when it is closed, and takes nothing on after', async () => {
  const pool = new ProbePool(1);
  const waiting = Promise.allSettled([pool.fit(job), pool.fit(job), pool.fit(job)]);
  await pool.close();
  for (const end of await waiting) expect(end).toMatchObject({ status: 'rejected', reason: { code: 'Cancelled' } });
  await expect(pool.fit(job)).rejects.toMatchObject({ code: 'Cancelled' });
});
