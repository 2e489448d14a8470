/**
 * Which stain normalisation made a run: none, or a method and the first 16 hex digits of the SHA-256 of what it was
 * fitted to. Part of a run's identity.
 */
export type NormalisationKey = StainKey | `${StainKey}+input:${string}`;

/** What the colours were brought to. */
export type StainKey = 'none' | `macenko:${string}` | `reinhard:${string}`;

/** Two stains as Macenko et al. 2009 model them. */
export interface MacenkoFit {
  readonly method: 'macenko';
  /** Optical density of haematoxylin, then eosin, per channel; each of length 1. */
  readonly stains: readonly [Rgb, Rgb];
  /** 99th percentile of either stain's concentration. */
  readonly maxConcentrations: readonly [number, number];
}

/** Mean and standard deviation of the tissue's pixels in CIE L*a*b*, as Reinhard et al. 2001 match them. */
export interface ReinhardFit {
  readonly method: 'reinhard';
  readonly mean: Rgb;
  readonly std: Rgb;
}

type Rgb = readonly [number, number, number];
export type StainFit = MacenkoFit | ReinhardFit;

/** What was fitted to a slide and what it is brought to; both of one method. */
export interface StainNormalisation {
  readonly source: StainFit;
  readonly target: StainFit;
}
