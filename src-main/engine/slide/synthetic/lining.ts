import { type Gland, glandPoint } from './glands.ts';
import { type Random, randomOfCell } from './noise.ts';
import { makeNucleus, type Nucleus } from './nucleus.ts';

/**
 * All nuclei of a gland's wall, a function of the gland alone: the endothelium of a vessel, or the epithelium of an
 * acinus or duct (two rows where the wall is thick) over its flat outer layer.
 */
export function liningNuclei(gland: Gland): Nucleus[] {
  const random = randomOfCell(gland.seed, 0, 0x11);
  if (gland.kind === 'vessel') return flatLayer(gland, 0.9, 11, 0.75, random);
  const nuclei = flatLayer(gland, 1.5, 12.5, 0.8, random);
  const rows = gland.kind === 'duct' && gland.wallUm > 16 ? [0.36, 0.62] : [0.5];
  for (const share of rows) nuclei.push(...epithelium(gland, share, random));
  return nuclei;
}

/** Flat dark nuclei along the wall. */
function flatLayer(gland: Gland, depthUm: number, spacingUm: number, share: number, random: Random): Nucleus[] {
  const nuclei: Nucleus[] = [];
  for (const angle of anglesAround(gland, depthUm, spacingUm, random)) {
    const { x, y, outward } = glandPoint(gland, angle, depthUm);
    const shape = {
      angle: outward + Math.PI / 2,
      longUm: 2.8 + 1.4 * random(),
      shortUm: 1.1 + 0.4 * random(),
      uneven: 0.05,
      dark: 0.95 + 0.25 * random(),
      vesicular: 0.1,
    };
    const nucleus = makeNucleus(x, y, shape, random);
    if (random() < share) nuclei.push(nucleus);
  }
  return nuclei;
}

/** Oval nuclei that stand on the wall, at a share of its thickness. */
function epithelium(gland: Gland, share: number, random: Random): Nucleus[] {
  return anglesAround(gland, gland.wallUm * share, 6.1, random).map((angle) => {
    const depthUm = gland.wallUm * (share + (random() - 0.5) * 0.16);
    const { x, y, outward } = glandPoint(gland, angle, depthUm);
    const shape = {
      angle: outward + (random() - 0.5) * 0.7,
      longUm: 3 + 0.9 * random(),
      shortUm: 2.25 + 0.5 * random(),
      uneven: 0.06,
      dark: 0.78 + 0.28 * random(),
      vesicular: 0.3 + 0.45 * random(),
    };
    return makeNucleus(x, y, shape, random);
  });
}

/** Angles `spacingUm` apart along the ring at a depth, each a little off. */
function anglesAround(gland: Gland, depthUm: number, spacingUm: number, random: Random): number[] {
  const radius = Math.max(2, gland.radiusUm - depthUm);
  const count = Math.max(3, Math.floor((2 * Math.PI * radius) / spacingUm));
  return Array.from({ length: count }, (_, index) => ((index + 0.5 * (random() - 0.5)) * 2 * Math.PI) / count);
}
