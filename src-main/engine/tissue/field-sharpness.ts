import { quantiles } from '../../../src-shared/numeric/quantile.ts';
import { OPTICAL_DENSITY } from '../extract/stain/optical-density.ts';
import type { RgbImage } from '../slide/slide-source.ts';

/** Numbers that `measureFieldSharpness` gives. */
export const SHARPNESS_DIM = 3;

/** Octaves of detail: 1, 2, 4 and 8 pixels. */
const OCTAVES = 4;
/** Energy of the Laplacian that rounding to 8 bits alone leaves in pale tissue; below it there is no detail to judge. */
const ROUNDING_ENERGY = 1e-4;

/**
 * How sharp a slide's tissue is: energy of the Laplacian of optical density at each octave over that at the next one,
 * as logarithms, medians over fields. Density, because light, gamma and the amount of stain then only add to it or
 * multiply it, and ratios forget both; ratios of octaves, because how much there is to see differs from tissue to
 * tissue, but how it falls off towards fine detail is the optics' and the focus'. Larger is sharper.
 * Source: energy of the Laplacian as a focus measure (Subbarao et al. 1993; Pertuz et al. 2013), here over scales.
 *
 * @param fields squares of tissue at the slide's own pixels.
 * @returns SHARPNESS_DIM numbers, finest octave first; null where no field holds any detail.
 */
export function measureFieldSharpness(fields: readonly RgbImage[]): Float64Array | null {
  const rows = fields.flatMap((field) => {
    const energies = laplacianEnergies(field);
    return (energies[1] ?? 0) > ROUNDING_ENERGY
      ? [energies.slice(0, -1).map((e, k) => falloff(e, energies[k + 1]))]
      : [];
  });
  if (rows.length === 0) return null;
  return Float64Array.from({ length: SHARPNESS_DIM }, (_, k) => {
    const [middle = Number.NaN] = quantiles(
      rows.map((row) => row[k] ?? Number.NaN),
      [0.5],
    );
    return middle;
  });
}

const falloff = (fine: number, coarse: number | undefined): number =>
  Math.log((fine + ROUNDING_ENERGY) / ((coarse ?? 0) + ROUNDING_ENERGY));

/** Mean squared Laplacian of the optical density at each octave, finest first. */
function laplacianEnergies({ data, widthPx, heightPx }: RgbImage): number[] {
  let grey = new Float32Array(widthPx * heightPx);
  for (let at = 0, from = 0; at < grey.length; at++, from += 3) {
    const [r, g, b] = [data[from] as number, data[from + 1] as number, data[from + 2] as number];
    const [dr, dg, db] = [OPTICAL_DENSITY[r] as number, OPTICAL_DENSITY[g] as number, OPTICAL_DENSITY[b] as number];
    grey[at] = (dr + 2 * dg + db) / 4;
  }
  const energies: number[] = [];
  let [width, height] = [widthPx, heightPx];
  for (let octave = 0; octave < OCTAVES; octave++) {
    energies.push(laplacianEnergy(grey, width, height));
    grey = halved(grey, width, height);
    [width, height] = [width >> 1, height >> 1];
  }
  return energies;
}

function laplacianEnergy(grey: Float32Array, width: number, height: number): number {
  let energy = 0;
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1, at = y * width + 1; x < width - 1; x++, at++) {
      const around = (grey[at - 1] as number) + (grey[at + 1] as number) + (grey[at - width] as number);
      energy += (around + (grey[at + width] as number) - 4 * (grey[at] as number)) ** 2;
    }
  }
  return energy / Math.max(1, (width - 2) * (height - 2));
}

/** Means of 2 x 2 pixels. */
function halved(grey: Float32Array, width: number, height: number): Float32Array<ArrayBuffer> {
  const [w, h] = [width >> 1, height >> 1];
  const out = new Float32Array(w * h);
  for (let y = 0; y < h; y++) {
    for (let x = 0, at = 2 * y * width; x < w; x++, at += 2) {
      const upper = (grey[at] as number) + (grey[at + 1] as number);
      out[y * w + x] = (upper + (grey[at + width] as number) + (grey[at + width + 1] as number)) / 4;
    }
  }
  return out;
}
