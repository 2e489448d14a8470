import type { ReinhardFit } from '../../../../src-shared/model/stain.ts';
import { labOf, writeLab } from './lab.ts';
import { stainedPixels } from './optical-density.ts';

/**
 * Mean and standard deviation of the stained pixels in L*a*b*. Source: Reinhard et al., Color transfer between images,
 * IEEE CG&A 2001, in CIE L*a*b* and on tissue only, as digital pathology uses it (Magee et al. 2009): glass would
 * otherwise set the statistics.
 *
 * @param rgb interleaved 8-bit RGB. @returns null where fewer than a hundred pixels are stained.
 */
export function fitReinhard(rgb: Uint8Array): ReinhardFit | null {
  const stained = stainedPixels(rgb);
  if (stained.length < 100) return null;
  const lab = new Float64Array(3);
  const sums = new Float64Array(3);
  const squares = new Float64Array(3);
  for (const at of stained) {
    labOf(rgb, at, lab);
    for (let c = 0; c < 3; c++) {
      const value = lab[c] as number;
      sums[c] = (sums[c] as number) + value;
      squares[c] = (squares[c] as number) + value * value;
    }
  }
  const mean = (c: number): number => (sums[c] ?? 0) / stained.length;
  const std = (c: number): number => Math.sqrt(Math.max(0, (squares[c] ?? 0) / stained.length - mean(c) ** 2));
  return { method: 'reinhard', mean: [mean(0), mean(1), mean(2)], std: [std(0), std(1), std(2)] };
}

/** Repaints pixels in place: each L*a*b* channel shifted and scaled from the source's mean and spread to the target's. */
export function reinhardTransform(source: ReinhardFit, target: ReinhardFit): (rgb: Uint8Array) => void {
  const scale = [0, 1, 2].map((c) => (target.std[c] ?? 0) / (source.std[c] || 1));
  const moved = (value: number, c: number): number =>
    (value - (source.mean[c] as number)) * (scale[c] as number) + (target.mean[c] as number);
  const lab = new Float64Array(3);
  return (rgb) => {
    for (let at = 0; at < rgb.length; at += 3) {
      labOf(rgb, at, lab);
      const [l, a, b] = [moved(lab[0] as number, 0), moved(lab[1] as number, 1), moved(lab[2] as number, 2)];
      writeLab(l, a, b, rgb, at);
    }
  };
}
