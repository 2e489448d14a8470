/** Samples along each axis of a colour cube: 33, as colour-management modules commonly use. */
export const ICC_LUT_SIDE = 33;

/**
 * Sends RGB pixels through a colour cube by trilinear interpolation, in place.
 *
 * @param pixels interleaved, `channels` bytes each; only the first three are changed.
 * @param lut ICC_LUT_SIDE^3 x 3 bytes, blue fastest, red slowest.
 */
export function applyColourLut(pixels: Uint8Array | Uint8ClampedArray, channels: 3 | 4, lut: Uint8Array): void {
  const side = ICC_LUT_SIDE;
  const scale = (side - 1) / 255;
  for (let at = 0; at + 2 < pixels.length; at += channels) {
    const [r, g, b] = [pixels[at] ?? 0, pixels[at + 1] ?? 0, pixels[at + 2] ?? 0];
    const [fr, fg, fb] = [r * scale, g * scale, b * scale];
    const r0 = Math.min(side - 2, Math.floor(fr));
    const g0 = Math.min(side - 2, Math.floor(fg));
    const b0 = Math.min(side - 2, Math.floor(fb));
    const [wr, wg, wb] = [fr - r0, fg - g0, fb - b0];
    const base = (r0 * side * side + g0 * side + b0) * 3;
    for (let c = 0; c < 3; c++) {
      const value = (dr: number, dg: number, db: number): number =>
        lut[base + (dr * side * side + dg * side + db) * 3 + c] ?? 0;
      const near = mix(mix(value(0, 0, 0), value(0, 0, 1), wb), mix(value(0, 1, 0), value(0, 1, 1), wb), wg);
      const far = mix(mix(value(1, 0, 0), value(1, 0, 1), wb), mix(value(1, 1, 0), value(1, 1, 1), wb), wg);
      pixels[at + c] = Math.round(mix(near, far, wr));
    }
  }
}

const mix = (a: number, b: number, share: number): number => a + (b - a) * share;
