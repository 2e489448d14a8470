/** Pixel sizes beyond these are a slip of the key: finer than light resolves, coarser than a macro image. */
export const MIN_MPP = 0.02;
export const MAX_MPP = 100;

/** A pixel size in micrometres as typed (comma or point); null where it is none. */
export function parseMpp(text: string): number | null {
  const typed = text.trim().replace(',', '.');
  if (!/^\d*\.?\d+$/.test(typed)) return null;
  const value = Number(typed);
  return value >= MIN_MPP && value <= MAX_MPP ? value : null;
}
