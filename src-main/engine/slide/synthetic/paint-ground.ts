import type { Canvas } from './canvas.ts';
import { expandField, type FieldLattice, fieldMaximum } from './lattice.ts';
import { smoothStep, valueNoise } from './noise.ts';
import type { Scene } from './scene.ts';

/** Paints collagen with its clefts wherever there is tissue and nothing has been painted yet. */
export function paintStroma(scene: Scene, canvas: Canvas, lattice: FieldLattice, depth: Float32Array): void {
  const { widthPx, heightPx, mppUm, haematoxylin, eosin } = canvas;
  const { noise } = scene;
  const across = expandField(lattice, 'across');
  const along = expandField(lattice, 'along');
  const tone = expandField(lattice, 'tone');
  const loose = expandField(lattice, 'loose');
  const opening = expandField(lattice, 'opening');
  for (let y = 0, at = 0; y < heightPx; y++) {
    const yUm = (canvas.y0Px + y) * mppUm;
    for (let x = 0; x < widthPx; x++, at++) {
      const inside = depth[at] ?? 0;
      if (inside < -9 || eosin[at] !== 0) continue;
      const u = across[at] ?? 0;
      const v = along[at] ?? 0;
      const crimped = u + 3.4 * valueNoise(noise, u / 26 + 3, v / 9.5);
      const thin = valueNoise(noise, crimped / 1.25, v / 12);
      const thick = valueNoise(noise, crimped / 6.5 + 31, v / 30);
      const edge = smoothStep(-1.2, 0.6, inside + (thick + 0.4 * thin - 0.7) * 7);
      if (edge === 0) continue;
      const openness = loose[at] ?? 0;
      const bundle = valueNoise(noise, crimped / 13 + 80, v / 42 + 9);
      const grain = valueNoise(noise, ((canvas.x0Px + x) * mppUm) / 2.3, yUm / 2.3 + 50);
      const solid = edge * (1 - cleft(thick, opening[at] ?? 0, openness));
      const fibre = 0.85 * thin + 1.45 * bundle * bundle - 0.04 + (0.16 + 0.45 * openness) * grain;
      const pink = (tone[at] ?? 1) * (0.5 - 0.27 * openness) * fibre;
      eosin[at] = (pink > 0.62 ? 0.62 + 0.55 * (pink - 0.62) : pink) * solid + 0.025 * edge;
      haematoxylin[at] = (0.01 + 0.09 * openness * (0.4 + grain) + 0.11 * thin) * solid;
    }
  }
}

/** 1 in a cleft, 0 in a fibre: clefts open along the lines on which `thick` passes its mean, as wide as the place is loose. */
function cleft(thick: number, opening: number, openness: number): number {
  const halfWidth = 0.26 * (opening - 0.4 + 0.24 * openness);
  if (halfWidth <= 0) return 0;
  const within = 1 - smoothStep(halfWidth - 0.045, halfWidth + 0.045, Math.abs(thick - 0.5));
  return within * smoothStep(0, 0.05, halfWidth);
}

/** Paints the cytoplasm of tumour nests over the stroma, with clefts where a nest has shrunk from it. */
export function paintNests(scene: Scene, canvas: Canvas, lattice: FieldLattice): void {
  if (fieldMaximum(lattice, 'nest') <= -4) return;
  const { widthPx, heightPx, mppUm, haematoxylin, eosin } = canvas;
  const { noise } = scene;
  const nest = expandField(lattice, 'nest');
  for (let y = 0, at = 0; y < heightPx; y++) {
    const yUm = (canvas.y0Px + y) * mppUm;
    for (let x = 0; x < widthPx; x++, at++) {
      const within = nest[at] ?? 0;
      const under = eosin[at] ?? 0;
      if (within <= -4 || under === 0) continue;
      const xUm = (canvas.x0Px + x) * mppUm;
      const cover = smoothStep(-0.8, 0.8, within);
      const shrunk = smoothStep(0.35, 0.55, valueNoise(noise, xUm / 24, yUm / 24 + 15));
      const ground = (1 - cover) * (1 - 0.9 * smoothStep(-3.6, -2, within) * (1 - cover) * shrunk);
      const grit = valueNoise(noise, xUm / 1.6, yUm / 1.6);
      const cloud = valueNoise(noise, xUm / 7, yUm / 7);
      eosin[at] = under * ground + cover * (0.2 + 0.14 * grit + 0.16 * cloud);
      haematoxylin[at] = (haematoxylin[at] ?? 0) * ground + cover * (0.1 + 0.12 * grit + 0.2 * cloud);
    }
  }
}
