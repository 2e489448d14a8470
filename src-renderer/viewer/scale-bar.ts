/** A scale bar: its length on screen and what that length is. */
export interface ScaleBar {
  readonly widthCssPx: number;
  readonly label: string;
}

/**
 * Slide length that one CSS pixel spans to the right on screen. Pixels of a slide need not be square, so under rotation
 * the horizontal of the screen runs across both of its sides.
 *
 * @param cssPxPerLevel0Px zoom in CSS pixels
 * @param mpp µm per level-0 pixel in x and y
 */
export function umPerCssPx(
  cssPxPerLevel0Px: number,
  rotationDeg: number,
  mpp: { readonly xUm: number; readonly yUm: number },
): number {
  const angle = (rotationDeg * Math.PI) / 180;
  return Math.hypot(Math.cos(angle) * mpp.xUm, Math.sin(angle) * mpp.yUm) / cssPxPerLevel0Px;
}

/**
 * The longest bar of 1, 2 or 5 times a power of ten that fits.
 *
 * @param unitPerCssPx µm (or level-0 pixels where the pixel size is unknown) per CSS pixel
 * @returns null while nothing sensible can be drawn
 */
export function scaleBar(unitPerCssPx: number, unit: 'um' | 'px', maxWidthCssPx: number): ScaleBar | null {
  if (!(unitPerCssPx > 0) || !Number.isFinite(unitPerCssPx)) return null;
  const longest = unitPerCssPx * maxWidthCssPx;
  const power = 10 ** Math.floor(Math.log10(longest));
  const factor = [5, 2, 1].find((step) => step * power <= longest * (1 + 1e-9)) ?? 1;
  const length = factor * power;
  return { widthCssPx: length / unitPerCssPx, label: unit === 'um' ? formatUm(length) : formatPx(length) };
}

/** A length in the unit people read it in: nm, µm, mm. */
export function formatUm(um: number): string {
  if (um >= 1000) return `${trim(um / 1000)} mm`;
  if (um >= 1) return `${trim(um)} µm`;
  return `${trim(um * 1000)} nm`;
}

function formatPx(px: number): string {
  return `${px >= 10_000 ? trim(px).replace(/\B(?=(\d{3})+$)/g, ' ') : trim(px)} px`;
}

function trim(value: number): string {
  return String(Number(value.toPrecision(3)));
}
