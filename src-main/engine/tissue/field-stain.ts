import { sortedQuantile } from '../../../src-shared/numeric/quantile.ts';
import { fitMacenko } from '../extract/stain/macenko.ts';
import { OPTICAL_DENSITY, stainedPixels } from '../extract/stain/optical-density.ts';
import type { RgbImage } from '../slide/slide-source.ts';

/** Numbers that `measureFieldStain` gives. */
export const STAIN_DIM = 12;
/** Pixels looked at, spread evenly over the fields. */
const SAMPLED_PX = 40_000;
/** Added to concentrations before their logarithm is taken. */
const LEAST_CONCENTRATION = 0.05;
/** Paler and denser parts of the stained pixels: cytoplasm and stroma; nuclei. */
const PALE = [0.1, 0.5] as const;
const DENSE = [0.9, 1] as const;

/**
 * What a stain and a scanner do to a slide and its tissue's make-up does less: the red and blue shares of the directions
 * of haematoxylin and eosin (Macenko et al. 2009), the logarithms of their 99th percentile concentrations, the red and
 * blue shares of the density of pale and of dense stained pixels (means), and the logarithms of the median and the 95th
 * percentile of the density.
 *
 * @param fields squares of tissue.
 * @returns STAIN_DIM numbers in that order; null where there are fewer than a hundred stained pixels.
 */
export function measureFieldStain(fields: readonly RgbImage[]): Float64Array | null {
  const rgb = sampled(fields);
  const fit = fitMacenko(rgb);
  if (fit === null) return null;
  const { red, blue, density } = shares(rgb);
  const order = Uint32Array.from(density, (_, i) => i).sort((a, b) => (density[a] ?? 0) - (density[b] ?? 0));
  const within = (values: Float64Array, [from, to]: readonly [number, number]): number => {
    const part = order.subarray(Math.floor(from * order.length), Math.floor(to * order.length));
    return part.reduce((sum, i) => sum + (values[i] ?? 0), 0) / part.length;
  };
  const sorted = density.slice().sort();
  const [haematoxylin, eosin] = fit.stains;
  return Float64Array.of(
    ...[haematoxylin[0], haematoxylin[2], eosin[0], eosin[2]],
    ...fit.maxConcentrations.map((c) => Math.log(Math.max(0, c) + LEAST_CONCENTRATION)),
    ...[within(red, PALE), within(blue, PALE), within(red, DENSE), within(blue, DENSE)],
    ...[0.5, 0.95].map((q) => Math.log(sortedQuantile(sorted, q))),
  );
}

function sampled(fields: readonly RgbImage[]): Uint8Array {
  const pixels = fields.reduce((sum, { data }) => sum + data.length / 3, 0);
  // Odd, so that it does not keep step with columns or with blocks of compression.
  const step = Math.ceil(pixels / SAMPLED_PX) | 1;
  const rgb = new Uint8Array(3 * Math.ceil(pixels / step));
  let seen = 0;
  let to = 0;
  for (const { data } of fields) {
    for (let at = 0; at < data.length; at += 3, seen++) {
      if (seen % step !== 0) continue;
      for (let c = 0; c < 3; c++) rgb[to++] = data[at + c] as number;
    }
  }
  return rgb;
}

/** Of each stained pixel: the shares of red and blue in its optical density, and the mean density. */
function shares(rgb: Uint8Array): Record<'red' | 'blue' | 'density', Float64Array> {
  const stained = stainedPixels(rgb);
  const of = { red: new Float64Array(stained.length), blue: new Float64Array(stained.length) };
  const density = Float64Array.from(stained, (at, i) => {
    const [r, g, b] = [0, 1, 2].map((c) => OPTICAL_DENSITY[rgb[at + c] as number] as number) as [
      number,
      number,
      number,
    ];
    of.red[i] = r / (r + g + b);
    of.blue[i] = b / (r + g + b);
    return (r + g + b) / 3;
  });
  return { ...of, density };
}
