/** The middle value; of an even count the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Rounds in which ours and the reference run one after the other; the medians, and the median of the rounds' ratios. */
export async function paired(
  rounds: number,
  ours: () => Promise<number>,
  reference: () => Promise<number>,
): Promise<{ readonly ours: number; readonly reference: number; readonly ratio: number }> {
  const results: { ours: number; reference: number }[] = [];
  for (let round = 0; round < rounds; round++) results.push({ ours: await ours(), reference: await reference() });
  return {
    ours: median(results.map((result) => result.ours)),
    reference: median(results.map((result) => result.reference)),
    ratio: median(results.map((result) => result.reference / result.ours)),
  };
}
