import { describe, expect, it } from 'vitest';
import { realSlide } from '../testing/real-data.ts';
import { otsuAgreement, REFERENCE_SLIDES } from './testing/otsu-agreement.ts';

describe.each(REFERENCE_SLIDES)('tissue on %s', (name) => {
  const path = realSlide(name);

  it.skipIf(path === null)("agrees with scikit-image's Otsu pipeline on at least 95 % of tiles", async () => {
    const { ours, reference, share } = await otsuAgreement(name, path ?? '');
    expect(ours).toEqual(reference);
    expect(share).toBeGreaterThanOrEqual(0.95);
  });
});
