/**
 * Otsu's threshold of a 256-bin histogram: the last bin of the darker class, so that `value > threshold` is the
 * brighter one. 0 for an empty histogram; the bin itself where only one is filled.
 * Source: Otsu 1979; the same criterion as scikit-image's `threshold_otsu`.
 */
export function otsuThreshold(histogram: ArrayLike<number>): number {
  let total = 0;
  let weighted = 0;
  for (let bin = 0; bin < histogram.length; bin++) {
    total += histogram[bin] ?? 0;
    weighted += bin * (histogram[bin] ?? 0);
  }
  let below = 0;
  let belowWeighted = 0;
  let best = -1;
  let threshold = 0;
  for (let bin = 0; bin < histogram.length; bin++) {
    const count = histogram[bin] ?? 0;
    below += count;
    belowWeighted += bin * count;
    const above = total - below;
    if (below === 0) continue;
    if (above === 0) return best < 0 ? bin : threshold;
    const difference = belowWeighted / below - (weighted - belowWeighted) / above;
    const between = below * above * difference * difference;
    if (between > best) {
      best = between;
      threshold = bin;
    }
  }
  return threshold;
}
