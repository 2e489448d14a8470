import { type Canvas, touchedPixels } from './canvas.ts';
import { type Gland, glandDepth } from './glands.ts';
import { hashCell, smoothStep, valueNoise } from './noise.ts';
import type { Nucleus } from './nucleus.ts';
import type { Scene } from './scene.ts';

/** Paints a gland's membrane, epithelium and lumen, or a vessel's wall and blood. */
export function paintGland(scene: Scene, canvas: Canvas, gland: Gland, depth: Float32Array): void {
  const { noise } = scene;
  const { widthPx, mppUm, haematoxylin, eosin, blood } = canvas;
  const reach = gland.radiusUm * 1.35 * gland.stretch + 6;
  const { left, right, top, bottom } = touchedPixels(canvas, gland.xUm, gland.yUm, reach);
  const isVessel = gland.kind === 'vessel';
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const at = y * widthPx + x;
      if ((depth[at] ?? 0) < 2) continue;
      const xUm = (canvas.x0Px + x) * mppUm;
      const yUm = (canvas.y0Px + y) * mppUm;
      const inside = glandDepth(gland, xUm, yUm);
      if (inside < -4) continue;
      const grit = valueNoise(noise, xUm / 1.5 + 9, yUm / 1.5);
      const cloud = valueNoise(noise, xUm / 5.5, yUm / 5.5 + 70);
      const cover = smoothStep(-0.5, 0.5, inside);
      const lumen = smoothStep(-0.7, 0.7, inside - gland.wallUm + (cloud - 0.5) * 4 + (grit - 0.5) * 1.6);
      let e = isVessel ? 0.42 + 0.15 * grit : 0.27 + 0.09 * grit + 0.1 * cloud;
      let h = isVessel ? 0.06 : 0.17 + 0.08 * grit + 0.07 * cloud;
      const membrane = 1 - Math.min(1, Math.abs(inside + 0.9) / 1.5);
      let b = 0;
      if (lumen > 0) {
        const fluid = isVessel ? vesselBlood(gland, xUm, yUm) : secretion(scene, gland, xUm, yUm, inside);
        e = e * (1 - lumen) + lumen * (isVessel ? 0.02 : 0.008 + 0.24 * fluid);
        h = h * (1 - lumen) + lumen * 0.03 * fluid;
        b = isVessel ? lumen * fluid * 0.52 : 0;
      }
      const ground = 1 - cover;
      const paleRing = isVessel
        ? 1
        : 1 - 0.55 * (1 - Math.min(1, Math.abs(inside + 2.8) / 1.6)) * smoothStep(0.35, 0.6, cloud);
      eosin[at] = (eosin[at] ?? 0) * ground * paleRing + e * cover + 0.22 * Math.max(0, membrane) * ground;
      haematoxylin[at] = (haematoxylin[at] ?? 0) * ground * paleRing + h * cover;
      blood[at] = (blood[at] ?? 0) * ground + b * cover;
    }
  }
}

/** Pale granular secretion in the middle of a lumen, 0..1. */
function secretion(scene: Scene, gland: Gland, xUm: number, yUm: number, inside: number): number {
  if (gland.secretion === 0) return 0;
  const cloud = valueNoise(scene.noise, xUm / 9 + (gland.seed & 63), yUm / 9);
  const grain = valueNoise(scene.noise, xUm / 2.2, yUm / 2.2 + 40);
  const free = (gland.radiusUm - gland.wallUm) * (1 - gland.secretion);
  return smoothStep(0, 5, inside - gland.wallUm - free) * (0.35 + 0.5 * cloud + 0.35 * grain);
}

const RED_CELL_UM = 6.2;

/** Red blood cells, packed discs a little paler in the middle: 0..1. */
function vesselBlood(gland: Gland, xUm: number, yUm: number): number {
  if (gland.secretion === 0) return 0;
  const column = Math.floor(xUm / RED_CELL_UM);
  const row = Math.floor(yUm / RED_CELL_UM);
  let cover = 0;
  for (let dy = -1; dy <= 1; dy++) {
    for (let dx = -1; dx <= 1; dx++) {
      const hash = hashCell(column + dx, row + dy, gland.seed);
      if ((hash & 255) > 255 * gland.secretion) continue;
      const px = xUm - (column + dx + 0.2 + 0.6 * (((hash >>> 8) & 255) / 255)) * RED_CELL_UM;
      const py = yUm - (row + dy + 0.2 + 0.6 * (((hash >>> 16) & 255) / 255)) * RED_CELL_UM;
      const distance = Math.sqrt(px * px + py * py);
      cover = Math.max(
        cover,
        smoothStep(3.3, 2.5, distance) === 0
          ? 1 - smoothStep(2.6, 3.3, distance) - 0.25 * (1 - smoothStep(0, 2, distance))
          : 0,
      );
    }
  }
  return cover;
}

/** Paints one nucleus: dark membrane, clumped chromatin, a nucleolus where it has one. */
export function paintNucleus(scene: Scene, canvas: Canvas, nucleus: Nucleus): void {
  const { noise } = scene;
  const { widthPx, mppUm, haematoxylin, eosin, blood } = canvas;
  const { cos, sin, longUm, shortUm, swing } = nucleus;
  const { left, right, top, bottom } = touchedPixels(canvas, nucleus.xUm, nucleus.yUm, longUm * 1.35 + 1);
  const meanUm = Math.sqrt(longUm * shortUm);
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const xUm = (canvas.x0Px + x) * mppUm;
      const yUm = (canvas.y0Px + y) * mppUm;
      const dx = xUm - nucleus.xUm;
      const dy = yUm - nucleus.yUm;
      const u = (dx * cos + dy * sin) / longUm;
      const v = (dy * cos - dx * sin) / shortUm;
      const r = Math.sqrt(u * u + v * v) + 1e-9;
      if (r > 1.6) continue;
      const c = u / r;
      const s = v / r;
      const c2 = c * c - s * s;
      const s2 = 2 * c * s;
      const edge = 1 + swing[0] * c2 + swing[1] * s2 + swing[2] * (c2 * c - s2 * s) + swing[3] * (s2 * c + c2 * s);
      const inside = (edge - r) * meanUm;
      const cover = smoothStep(-0.65, 0.55, inside);
      if (cover === 0) continue;
      const clump =
        valueNoise(noise, xUm / 1.15 + 5, yUm / 1.15 + 5) * 0.55 + valueNoise(noise, xUm / 2.4, yUm / 2.4) * 0.45;
      const rim = 1 - smoothStep(0, 2.1, inside);
      const body = 1 - nucleus.vesicular * (0.5 - 0.42 * rim - 0.75 * (clump - 0.45));
      let h = nucleus.stain * body * (0.68 + 0.6 * clump);
      if (nucleus.nucleolusUm > 0) {
        const off = Math.hypot(dx - 0.25 * meanUm * cos, dy - 0.2 * meanUm * sin);
        h += 0.32 * (1 - smoothStep(nucleus.nucleolusUm - 0.6, nucleus.nucleolusUm + 0.5, off));
      }
      const at = y * widthPx + x;
      haematoxylin[at] =
        Math.max((haematoxylin[at] ?? 0) * (1 - cover), 0) + cover * Math.max(h, 0.5 * (haematoxylin[at] ?? 0));
      eosin[at] = (eosin[at] ?? 0) * (1 - cover) + cover * 0.36;
      blood[at] = (blood[at] ?? 0) * (1 - cover);
    }
  }
}
