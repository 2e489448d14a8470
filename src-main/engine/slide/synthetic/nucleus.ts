import type { Random } from './noise.ts';

/** One nucleus: an ellipse with an uneven outline. Lengths in µm. */
export interface Nucleus {
  readonly xUm: number;
  readonly yUm: number;
  readonly cos: number;
  readonly sin: number;
  readonly longUm: number;
  readonly shortUm: number;
  /** Weights of cos 2a, sin 2a, cos 3a, sin 3a in the outline. */
  readonly swing: readonly [number, number, number, number];
  /** Haematoxylin at full cover. */
  readonly stain: number;
  /** 0 = evenly dark .. 1 = pale inside with a dark membrane. */
  readonly vesicular: number;
  /** Radius of the nucleolus, 0 = none. */
  readonly nucleolusUm: number;
}

/** What kind of nucleus to make. */
export interface NucleusShape {
  /** Direction of the long axis. */
  readonly angle: number;
  /** Half axes, µm. */
  readonly longUm: number;
  readonly shortUm: number;
  /** How uneven the outline is, as a share of the radius. */
  readonly uneven: number;
  /** Darkness, about 1. */
  readonly dark: number;
  readonly vesicular: number;
  readonly nucleolusUm?: number;
}

/** How far from its centre a nucleus can reach. */
export const NUCLEUS_REACH_UM = 16;

/** Haematoxylin of a nucleus of darkness 1: gives the nuclei of CMU-1-Small-Region. */
const STAIN = 1.22;

export function makeNucleus(xUm: number, yUm: number, shape: NucleusShape, random: Random): Nucleus {
  const amount = (): number => (random() * 2 - 1) * shape.uneven;
  return {
    xUm,
    yUm,
    cos: Math.cos(shape.angle),
    sin: Math.sin(shape.angle),
    longUm: shape.longUm,
    shortUm: shape.shortUm,
    swing: [amount(), amount(), amount(), amount()],
    stain: shape.dark * STAIN,
    vesicular: shape.vesicular,
    nucleolusUm: shape.nucleolusUm ?? 0,
  };
}
