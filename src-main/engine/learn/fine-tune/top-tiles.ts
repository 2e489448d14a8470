/**
 * The k tiles with the highest un-normalised attention, all where there are fewer, in ascending order of their index;
 * ties go to the lower index (HistoTransfer, stage 2: k = 64).
 */
export function topTiles(scores: Float32Array, k: number): number[] {
  const order = [...scores.keys()].sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || a - b);
  return order.slice(0, k).sort((a, b) => a - b);
}
