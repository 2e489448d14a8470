import { labelComponents } from './components.ts';
import type { MaskPlanes } from './planes.ts';
import { OD_STEPS } from './planes.ts';

/** A coverslip's edge is grey: darker than glass, without stain. */
const MIN_DENSITY = 0.035;
/** It runs straight for millimetres and is thin. */
const MIN_LENGTH_UM = 1500;
const MAX_WIDTH_UM = 90;
const MIN_STRAIGHTNESS = 25;

/**
 * Where the coverslip's edges run: pieces of unsaturated but darkened pixels that are long, thin and straight (extent
 * along the principal axis at least 25 times the spread across it). Non-zero where there is an edge.
 * @param saturationThreshold in 0..1, as for tissue. @param pixelUm side of a mask pixel.
 */
export function findCoverslip(planes: MaskPlanes, saturationThreshold: number, pixelUm: number): Uint8Array {
  const { widthPx, heightPx } = planes;
  const grey = new Uint8Array(widthPx * heightPx);
  for (let at = 0; at < grey.length; at++) {
    const isGrey = (planes.saturation[at] ?? 0) <= saturationThreshold * 255;
    if (isGrey && (planes.density[at] ?? 0) > MIN_DENSITY * OD_STEPS) grey[at] = 1;
  }
  const { labels, count, pixels, boxes } = labelComponents(grey, widthPx, heightPx, 8);
  const moments = new Map<number, Moments>();
  for (let index = 0; index < count; index++) {
    const wide = (boxes[index * 4 + 2] ?? 0) - (boxes[index * 4] ?? 0);
    const high = (boxes[index * 4 + 3] ?? 0) - (boxes[index * 4 + 1] ?? 0);
    const isLong = Math.hypot(wide, high) * pixelUm >= MIN_LENGTH_UM;
    const meanWidthUm = ((pixels[index] ?? 0) * pixelUm) / Math.hypot(wide + 1, high + 1);
    if (isLong && meanWidthUm <= MAX_WIDTH_UM) moments.set(index + 1, new Moments());
  }
  const edges = new Uint8Array(grey.length);
  if (moments.size === 0) return edges;
  for (let at = 0; at < grey.length; at++) {
    if (grey[at] !== 0) moments.get(labels[at] ?? 0)?.add(at % widthPx, Math.floor(at / widthPx));
  }
  for (let at = 0; at < grey.length; at++) {
    if (grey[at] !== 0 && (moments.get(labels[at] ?? 0)?.isStraight ?? false)) edges[at] = 1;
  }
  return edges;
}

/** Second moments of a set of pixels. */
class Moments {
  #count = 0;
  #x = 0;
  #y = 0;
  #xx = 0;
  #xy = 0;
  #yy = 0;
  #isStraight: boolean | null = null;

  add(x: number, y: number): void {
    this.#count++;
    this.#x += x;
    this.#y += y;
    this.#xx += x * x;
    this.#xy += x * y;
    this.#yy += y * y;
  }

  /** Whether it is far longer along its principal axis than across. */
  get isStraight(): boolean {
    this.#isStraight ??= this.#straightness() >= MIN_STRAIGHTNESS;
    return this.#isStraight;
  }

  /** Spread along the principal axis over spread across it; a pixel's own width counts across. */
  #straightness(): number {
    const n = this.#count;
    const xx = this.#xx / n - (this.#x / n) ** 2;
    const yy = this.#yy / n - (this.#y / n) ** 2;
    const xy = this.#xy / n - (this.#x * this.#y) / (n * n);
    const middle = (xx + yy) / 2;
    const reach = Math.sqrt(((xx - yy) / 2) ** 2 + xy * xy);
    return Math.sqrt((middle + reach) / (Math.max(0, middle - reach) + 1 / 12));
  }
}
