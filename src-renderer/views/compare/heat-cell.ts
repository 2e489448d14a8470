/**
 * Colours of a cell of a similarity matrix, white (0) to dark blue (1), and of the number in it, which keeps a contrast
 * of 4.5 to 1. The same in light and dark: a matrix is read by its lightness.
 */
export function heatCell(value: number | null | undefined): { readonly fill: string; readonly ink: string } {
  if (typeof value !== 'number' || !Number.isFinite(value)) return { fill: '#c9ced3', ink: '#000000' };
  const t = Math.min(1, Math.max(0, value));
  const mix = (from: number, to: number): number => Math.round(from + (to - from) * t);
  return { fill: `rgb(${mix(250, 8)},${mix(251, 62)},${mix(252, 120)})`, ink: t > 0.695 ? '#ffffff' : '#000000' };
}
