import { sortedQuantile } from '../../../src-shared/numeric/quantile.ts';
import { symmetricEigen } from '../map/symmetric-eigen.ts';
import type { RgbImage } from '../slide/slide-source.ts';

/** Numbers that `measureFieldStain` gives: the stains' hues, how dense they are, then how densities vary together. */
export const HUE_DIM = 8;
export const DENSITY_DIM = 3;
export const MIXTURE_DIM = 6;

/** Pixels looked at, spread evenly over the fields. */
const SAMPLED_PX = 40_000;
const LEAST_STAINED_PX = 100;
/** Mean optical density (natural logarithm) of a pixel that counts as stained. */
const LEAST_DENSITY = 0.15;
/** Added before the logarithm of a density is taken: a channel that no stain reaches counts as this dense. */
const DENSITY_FLOOR = 0.02;
/** Paler and denser parts of the stained pixels: cytoplasm and stroma; nuclei. */
const PALE = [0.1, 0.5] as const;
const DENSE = [0.9, 1] as const;
/** Densities at which hues are compared whatever there is of them in a slide. */
const COMPARED_DENSITIES = [0.35, 1] as const;
/** Standard deviation of density added to each channel's own: rounding, compression and a camera's noise are no stain. */
const NOISE_DENSITY = 0.02;
/** Share of all pixels that absorb more than what is taken as the densest stain. */
const DENSEST_SHARE = 0.02;

const DENSITY_OF_BYTE = Float64Array.from({ length: 256 }, (_, value) => -Math.log((value + 1) / 256));

/**
 * What a stain and a scanner do to a slide, and its tissue's make-up does less. Hues: the red and blue shares of the
 * optical density of pale and of dense stained pixels (means of each), and those shares at two fixed densities, from the
 * straight line through share and logarithm of density, so that a slide of many nuclei is not taken for one of more
 * haematoxylin. Densities: logarithms of that of red, green and blue light in the darkest pixels. Mixture: how the
 * densities of the three colours vary together from pixel to pixel, which is what the stains absorb and how much there is
 * of them; the colour of the light adds to every density alike and leaves it as it is, so slides under different lamps
 * stay close and another stain does not. A covariance, as its matrix logarithm: its small axes then count like its large one.
 * On slides made of public images these told re-stained ones apart better than the directions and 99th percentile
 * concentrations of Macenko et al. 2009, which lean on the extreme pixels, and than mean and spread of the densities.
 * Source: shares of density as hue and saturation that do not depend on how dark a pixel is, van der Laak et al. 2000;
 * logarithms of covariances, Arsigny et al. 2006.
 *
 * @param fields squares of tissue.
 * @returns HUE_DIM + DENSITY_DIM + MIXTURE_DIM numbers: red, blue of pale, then of dense pixels; red at the lesser and the greater
 * density, then blue; red, green, blue; of the logarithm red, green, blue, and √2 times red-green, red-blue, green-blue, so
 * that lengths are its own. Null where there are hardly any stained pixels.
 */
export function measureFieldStain(fields: readonly RgbImage[]): Float64Array | null {
  const rgb = sampled(fields);
  const { red, blue, density } = stained(rgb);
  if (density.length < LEAST_STAINED_PX) return null;
  const order = Uint32Array.from(density, (_, i) => i).sort((a, b) => (density[a] ?? 0) - (density[b] ?? 0));
  const within = (values: Float64Array, [from, to]: readonly [number, number]): number => {
    const part = order.subarray(Math.floor(from * order.length), Math.floor(to * order.length));
    return part.reduce((sum, i) => sum + (values[i] ?? 0), 0) / part.length;
  };
  return Float64Array.of(
    ...[within(red, PALE), within(blue, PALE), within(red, DENSE), within(blue, DENSE)],
    ...[...atDensities(red, density), ...atDensities(blue, density)],
    ...[0, 1, 2].map((channel) => densest(rgb, channel)),
    ...mixture(rgb),
  );
}

/** Every so many pixels of the fields. */
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

/** Of each stained pixel: the shares of red and blue in its optical density, and its mean density. */
function stained(rgb: Uint8Array): Record<'red' | 'blue' | 'density', Float64Array> {
  const most = rgb.length / 3;
  const of = { red: new Float64Array(most), blue: new Float64Array(most), density: new Float64Array(most) };
  let count = 0;
  for (let at = 0; at < rgb.length; at += 3) {
    const r = DENSITY_OF_BYTE[rgb[at] as number] as number;
    const g = DENSITY_OF_BYTE[rgb[at + 1] as number] as number;
    const b = DENSITY_OF_BYTE[rgb[at + 2] as number] as number;
    const sum = r + g + b;
    if (sum < 3 * LEAST_DENSITY) continue;
    of.red[count] = r / sum;
    of.blue[count] = b / sum;
    of.density[count++] = sum / 3;
  }
  const { red, blue, density } = of;
  return { red: red.subarray(0, count), blue: blue.subarray(0, count), density: density.subarray(0, count) };
}

/** A share at the compared densities, by least squares on the logarithm of the density. */
function atDensities(share: Float64Array, density: Float64Array): number[] {
  const x = density.map(Math.log);
  const [middleX, middleY] = [mean(x), mean(share)];
  let [across, along] = [0, 0];
  for (let i = 0; i < x.length; i++) {
    const off = (x[i] as number) - middleX;
    across += off * ((share[i] as number) - middleY);
    along += off * off;
  }
  const slope = along > 0 ? across / along : 0;
  return COMPARED_DENSITIES.map((at) => middleY + slope * (Math.log(at) - middleX));
}

function densest(rgb: Uint8Array, channel: number): number {
  const values = Float64Array.from({ length: rgb.length / 3 }, (_, i) => rgb[3 * i + channel] as number).sort();
  const dark = Math.round(sortedQuantile(values, DENSEST_SHARE));
  return Math.log((DENSITY_OF_BYTE[dark] as number) + DENSITY_FLOOR);
}

/** Logarithm of the covariance of the three densities over all pixels: its diagonal, then √2 times what is above it. */
function mixture(rgb: Uint8Array): number[] {
  const count = rgb.length / 3;
  const centred = [0, 1, 2].map((channel) => {
    const density = Float64Array.from({ length: count }, (_, i) => DENSITY_OF_BYTE[rgb[3 * i + channel] ?? 0] ?? 0);
    const middle = mean(density);
    return density.map((value) => value - middle);
  });
  const covariance = centred.flatMap((a, row) =>
    centred.map((b, column) => {
      const products = a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
      return products / count + (row === column ? NOISE_DENSITY ** 2 : 0);
    }),
  );
  const { values, vectors } = symmetricEigen(Float64Array.from(covariance), 3);
  const logarithm = (row: number, column: number): number =>
    vectors.reduce(
      (sum, axis, i) => sum + Math.log(values[i] ?? Number.NaN) * (axis[row] ?? 0) * (axis[column] ?? 0),
      0,
    );
  const across = [logarithm(0, 1), logarithm(0, 2), logarithm(1, 2)].map((value) => Math.SQRT2 * value);
  return [logarithm(0, 0), logarithm(1, 1), logarithm(2, 2), ...across];
}

const mean = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;
