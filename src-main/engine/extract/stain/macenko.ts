import type { MacenkoFit } from '../../../../src-shared/model/stain.ts';
import { sortedQuantile } from '../../../../src-shared/numeric/quantile.ts';
import { symmetricEigen } from '../../map/symmetric-eigen.ts';
import { BACKGROUND_INTENSITY, OPTICAL_DENSITY, stainedPixels } from './optical-density.ts';

type Rgb = readonly [number, number, number];

/** The extreme stain directions are taken at these percentiles of the angle, against outliers. */
const ANGLE_SHARES = [0.01, 0.99] as const;
const MAX_CONCENTRATION_SHARE = 0.99;

/** The reference stains that published implementations of the method normalise to (M. Macenko's group; HERef, maxCRef). */
export const MACENKO_REFERENCE: MacenkoFit = {
  method: 'macenko',
  stains: [
    [0.5626, 0.7201, 0.4062],
    [0.2159, 0.8012, 0.5581],
  ],
  maxConcentrations: [1.9705, 1.0308],
};

/**
 * Finds the two stains of an H&E image: the plane of greatest variance of its optical densities, in it the directions
 * at the 1st and 99th percentile of the angle; haematoxylin is the redder absorber of the two. Source: Macenko et al.,
 * A method for normalizing histology slides for quantitative analysis, ISBI 2009.
 *
 * @param rgb interleaved 8-bit RGB. @returns null where fewer than a hundred pixels are stained.
 */
export function fitMacenko(rgb: Uint8Array): MacenkoFit | null {
  const stained = stainedPixels(rgb);
  if (stained.length < 100) return null;
  const density = (at: number, channel: number): number => OPTICAL_DENSITY[rgb[at + channel] ?? 0] ?? 0;
  const [first, second] = symmetricEigen(covariance(stained, density), 3).vectors.map(facingPositive);
  if (first === undefined || second === undefined) return null;
  const angles = Float64Array.from(stained, (at) => {
    const along = (axis: Rgb): number => density(at, 0) * axis[0] + density(at, 1) * axis[1] + density(at, 2) * axis[2];
    return Math.atan2(along(second), along(first));
  }).sort();
  const [low, high] = ANGLE_SHARES.map((share): Rgb => {
    const angle = sortedQuantile(angles, share);
    return combine(first, Math.cos(angle), second, Math.sin(angle));
  });
  if (low === undefined || high === undefined) return null;
  const stains: MacenkoFit['stains'] = low[0] > high[0] ? [low, high] : [high, low];
  return { method: 'macenko', stains, maxConcentrations: maxConcentrations(rgb, stains) };
}

function covariance(stained: Uint32Array, density: (at: number, channel: number) => number): Float64Array {
  const channels = [0, 1, 2] as const;
  const means = channels.map((c) => stained.reduce((sum, at) => sum + density(at, c), 0) / stained.length);
  const matrix = new Float64Array(9);
  for (const a of channels) {
    for (const b of channels) {
      const total = stained.reduce((sum, at) => {
        return sum + (density(at, a) - (means[a] ?? 0)) * (density(at, b) - (means[b] ?? 0));
      }, 0);
      matrix[a * 3 + b] = total / (stained.length - 1);
    }
  }
  return matrix;
}

/** An axis has no sign of its own: towards positive densities, so that angles do not wrap around. */
function facingPositive(axis: Float64Array): Rgb {
  const [r = 0, g = 0, b = 0] = axis;
  const sign = r + g + b < 0 ? -1 : 1;
  return [sign * r, sign * g, sign * b];
}

function combine(a: Rgb, p: number, b: Rgb, q: number): Rgb {
  return [a[0] * p + b[0] * q, a[1] * p + b[1] * q, a[2] * p + b[2] * q];
}

/** The 2 x 3 matrix that gives a pixel's two concentrations from its densities by least squares. */
function unmixing([h, e]: MacenkoFit['stains']): readonly [Rgb, Rgb] {
  const dot = (a: Rgb, b: Rgb): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  const [hh, he, ee] = [dot(h, h), dot(h, e), dot(e, e)];
  const determinant = hh * ee - he * he;
  return [combine(h, ee / determinant, e, -he / determinant), combine(e, hh / determinant, h, -he / determinant)];
}

function maxConcentrations(rgb: Uint8Array, stains: MacenkoFit['stains']): [number, number] {
  const [h, e] = unmixing(stains).map((row) => {
    const values = new Float64Array(rgb.length / 3);
    for (let at = 0; at < rgb.length; at += 3) {
      const density = (c: number): number => OPTICAL_DENSITY[rgb[at + c] ?? 0] ?? 0;
      values[at / 3] = row[0] * density(0) + row[1] * density(1) + row[2] * density(2);
    }
    return sortedQuantile(values.sort(), MAX_CONCENTRATION_SHARE);
  });
  return [h ?? 0, e ?? 0];
}

/**
 * Repaints pixels in place: each one's concentrations of the source's stains, scaled to the target's, in the colours of
 * the target's stains. Unmixing and mixing make one 3 x 3 matrix on optical densities.
 */
export function macenkoTransform(source: MacenkoFit, target: MacenkoFit): (rgb: Uint8Array) => void {
  const rows = unmixing(source.stains);
  const matrix = Float64Array.from({ length: 9 }, (_, i) => {
    const [to, from] = [Math.floor(i / 3), i % 3];
    return [0, 1].reduce((sum, stain) => {
      const scale = (target.maxConcentrations[stain] ?? 0) / (source.maxConcentrations[stain] || 1);
      return sum + (target.stains[stain]?.[to] ?? 0) * scale * (rows[stain]?.[from] ?? 0);
    }, 0);
  });
  return (rgb) => {
    for (let at = 0; at < rgb.length; at += 3) {
      const r = OPTICAL_DENSITY[rgb[at] as number] as number;
      const g = OPTICAL_DENSITY[rgb[at + 1] as number] as number;
      const b = OPTICAL_DENSITY[rgb[at + 2] as number] as number;
      for (let c = 0; c < 3; c++) {
        const row = c * 3;
        const density = (matrix[row] as number) * r + (matrix[row + 1] as number) * g + (matrix[row + 2] as number) * b;
        rgb[at + c] = Math.min(255, Math.round(BACKGROUND_INTENSITY * Math.exp(-density)));
      }
    }
  };
}
