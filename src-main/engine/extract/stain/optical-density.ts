/** Intensity of light that met no tissue, as Macenko's published implementations set it. */
export const BACKGROUND_INTENSITY = 240;
/** Pixels with an optical density below this in any channel are background (Macenko et al. 2009, section 2). */
export const MIN_OPTICAL_DENSITY = 0.15;

/** Optical density of an 8-bit value: -ln((value + 1) / 240); 1 is added so that black stays finite. */
export const OPTICAL_DENSITY: Float64Array = Float64Array.from(
  { length: 256 },
  (_, value) => -Math.log((value + 1) / BACKGROUND_INTENSITY),
);

/** Indices (times 3) of the pixels that are stained, in interleaved RGB. */
export function stainedPixels(rgb: Uint8Array): Uint32Array {
  const stained = new Uint32Array(rgb.length / 3);
  let count = 0;
  for (let at = 0; at < rgb.length; at += 3) {
    const bright = Math.max(rgb[at] ?? 0, rgb[at + 1] ?? 0, rgb[at + 2] ?? 0);
    if ((OPTICAL_DENSITY[bright] ?? 0) >= MIN_OPTICAL_DENSITY) stained[count++] = at;
  }
  return stained.subarray(0, count);
}
