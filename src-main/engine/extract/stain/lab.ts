/** CIE 1976 L*a*b* of sRGB under D65 (2 degrees), IEC 61966-2-1 and CIE 15; the numbers scikit-image uses. */

const LINEAR = Float64Array.from({ length: 256 }, (_, value) => {
  const encoded = value / 255;
  return encoded > 0.04045 ? ((encoded + 0.055) / 1.055) ** 2.4 : encoded / 12.92;
});
const WHITE = [0.95047, 1, 1.08883] as const;
const LINEAR_PART = 0.008856;

const forward = (t: number): number => (t > LINEAR_PART ? Math.cbrt(t) : 7.787 * t + 16 / 116);
const backward = (t: number): number => (t > 0.2068966 ? t * t * t : (t - 16 / 116) / 7.787);

/** Writes L*, a*, b* of the pixel at `at` to `out`. */
export function labOf(rgb: Uint8Array, at: number, out: Float64Array): void {
  const r = LINEAR[rgb[at] as number] as number;
  const g = LINEAR[rgb[at + 1] as number] as number;
  const b = LINEAR[rgb[at + 2] as number] as number;
  const x = forward((0.412453 * r + 0.35758 * g + 0.180423 * b) / WHITE[0]);
  const y = forward(0.212671 * r + 0.71516 * g + 0.072169 * b);
  const z = forward((0.019334 * r + 0.119193 * g + 0.950227 * b) / WHITE[2]);
  out[0] = 116 * y - 16;
  out[1] = 500 * (x - y);
  out[2] = 200 * (y - z);
}

/** Steps of the table from linear light to 8 bits: fine enough for the steep start of the curve. */
const STEPS = 65_536;
const ENCODED = Uint8Array.from({ length: STEPS + 1 }, (_, i) => {
  const light = i / STEPS;
  return Math.round(255 * (light > 0.0031308 ? 1.055 * light ** (1 / 2.4) - 0.055 : 12.92 * light));
});

function encode(light: number): number {
  return ENCODED[Math.round(Math.min(1, Math.max(0, light)) * STEPS)] as number;
}

/** Writes the 8-bit sRGB of a colour to the pixel at `at`; what no screen can show is clipped. */
export function writeLab(l: number, a: number, b: number, rgb: Uint8Array, at: number): void {
  const fy = (l + 16) / 116;
  const x = WHITE[0] * backward(fy + a / 500);
  const y = backward(fy);
  const z = WHITE[2] * backward(Math.max(0, fy - b / 200));
  rgb[at] = encode(3.24048134 * x - 1.53715152 * y - 0.49853633 * z);
  rgb[at + 1] = encode(-0.96925495 * x + 1.87599 * y + 0.04155593 * z);
  rgb[at + 2] = encode(0.05564664 * x - 0.20404134 * y + 1.05731107 * z);
}
