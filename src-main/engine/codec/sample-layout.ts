/**
 * 8-bit samples of one or three components, interleaved or plane after plane, as interleaved RGB. The input is
 * returned where it is that already; a fourth component (alpha) is dropped.
 */
export function interleaveToRgb(samples: Uint8Array, components: number, planar: boolean): Uint8Array {
  if (components === 3 && !planar) return samples;
  const pixels = Math.floor(samples.length / components);
  const rgb = new Uint8Array(pixels * 3);
  for (let channel = 0; channel < 3; channel++) {
    const component = components < 3 ? 0 : channel;
    const start = planar ? component * pixels : component;
    const step = planar ? 1 : components;
    for (let pixel = 0; pixel < pixels; pixel++) rgb[pixel * 3 + channel] = samples[start + pixel * step] ?? 0;
  }
  return rgb;
}
