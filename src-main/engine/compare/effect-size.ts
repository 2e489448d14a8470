import { normalQuantile } from '../../../src-shared/numeric/statistics.ts';

export interface EffectSize {
  readonly effectSize: number | null;
  readonly effectSizeName: "Cohen's h" | "difference of d'";
}

/**
 * How large the difference between two scores is, in units that do not depend on the number of images nor on how near
 * to 100 % both are; positive where B is better. Of accuracies Cohen's h (Cohen 1988, chapter 6: 0.2 small, 0.5 medium,
 * 0.8 large); of AUCs the difference of the d' that two normal classes of equal spread would have (d' = sqrt(2) z(AUC),
 * Simpson and Fitter 1973). Null where a score is perfect or always wrong, so that d' does not exist.
 */
export function effectSizeOf(metric: 'AUC' | 'accuracy', a: number, b: number): EffectSize {
  if (metric === 'accuracy') {
    const angle = (share: number) => 2 * Math.asin(Math.sqrt(Math.min(1, Math.max(0, share))));
    return { effectSize: angle(b) - angle(a), effectSizeName: "Cohen's h" };
  }
  const difference = Math.SQRT2 * (normalQuantile(b) - normalQuantile(a));
  return { effectSize: Number.isFinite(difference) ? difference : null, effectSizeName: "difference of d'" };
}
