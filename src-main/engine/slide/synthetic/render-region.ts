import { develop, GLASS, makeCanvas } from './canvas.ts';
import { FatCells, paintFat } from './fat-cells.ts';
import { outlineDepth } from './fields.ts';
import { glandsNear } from './glands.ts';
import { expandField, fieldMaximum, sampleLattice } from './lattice.ts';
import { hashCell } from './noise.ts';
import { nucleiNear } from './nuclei.ts';
import { paintGland, paintNucleus } from './paint-cells.ts';
import { blurAt, blurMarginPx, boxBlur, paintPens, touchesBlur } from './paint-glass.ts';
import { paintNests, paintStroma } from './paint-ground.ts';
import type { Scene } from './scene.ts';

/** The ragged outline strays at most this far from the ideal one, µm. */
const OUTLINE_SLACK_UM = 170;

/**
 * Paints a rectangle of level-0 pixels as interleaved RGB. A pure function of scene and place: however a region is cut
 * into rectangles, its pixels are the same. The rectangle may lie off the slide.
 */
export function renderRegion(scene: Scene, x0Px: number, y0Px: number, widthPx: number, heightPx: number): Uint8Array {
  const { mppUm, layout } = scene;
  const [left, top] = [x0Px * mppUm, y0Px * mppUm];
  const [right, bottom] = [(x0Px + widthPx) * mppUm, (y0Px + heightPx) * mppUm];
  let rgb: Uint8Array;
  if (touchesBlur(layout.blurs, left, top, right, bottom)) {
    const margin = blurMarginPx(mppUm);
    const [outerWidth, outerHeight] = [widthPx + 2 * margin, heightPx + 2 * margin];
    const sharp = renderSharp(scene, x0Px - margin, y0Px - margin, outerWidth, outerHeight);
    const soft = boxBlur(sharp, outerWidth, outerHeight, mppUm);
    rgb = new Uint8Array(widthPx * heightPx * 3);
    for (let y = 0, at = 0; y < heightPx; y++) {
      for (let x = 0; x < widthPx; x++) {
        const amount = blurAt(scene, (x0Px + x) * mppUm, (y0Px + y) * mppUm);
        const from = ((y + margin) * outerWidth + x + margin) * 3;
        for (let channel = 0; channel < 3; channel++, at++) {
          const crisp = sharp[from + channel] ?? 0;
          rgb[at] = crisp + amount * ((soft[from + channel] ?? 0) - crisp) + 0.5;
        }
      }
    }
  } else rgb = renderSharp(scene, x0Px, y0Px, widthPx, heightPx);
  paintPens(scene, rgb, x0Px, y0Px, widthPx, heightPx);
  return rgb;
}

function renderSharp(scene: Scene, x0Px: number, y0Px: number, widthPx: number, heightPx: number): Uint8Array {
  const { mppUm } = scene;
  const rect = {
    left: x0Px * mppUm,
    top: y0Px * mppUm,
    right: (x0Px + widthPx) * mppUm,
    bottom: (y0Px + heightPx) * mppUm,
  };
  const halfDiagonal = Math.hypot(rect.right - rect.left, rect.bottom - rect.top) / 2;
  const centreDepth = outlineDepth(scene, (rect.left + rect.right) / 2, (rect.top + rect.bottom) / 2);
  if (centreDepth < -2 * halfDiagonal - 2 * OUTLINE_SLACK_UM) return glass(widthPx * heightPx);
  const lattice = sampleLattice(scene, x0Px, y0Px, widthPx, heightPx);
  if (fieldMaximum(lattice, 'depth') < -9) return glass(widthPx * heightPx);

  const canvas = makeCanvas(x0Px, y0Px, widthPx, heightPx, mppUm);
  const depth = expandField(lattice, 'depth');
  const fat = new FatCells(scene, rect);
  paintFat(scene, canvas, fat, depth);
  paintStroma(scene, canvas, lattice, depth);
  paintNests(scene, canvas, lattice);
  const glands = glandsNear(scene, rect);
  for (const gland of glands) paintGland(scene, canvas, gland, depth);
  for (const nucleus of nucleiNear(scene, rect, glands, fat)) paintNucleus(scene, canvas, nucleus);
  return develop(canvas, (x, y) => ((hashCell(x, y, scene.seed) & 15) - 7.5) * 0.5);
}

/** Empty glass: built by doubling copies, because most of a slide is made of it. */
function glass(count: number): Uint8Array {
  const rgb = new Uint8Array(count * 3);
  rgb.set(GLASS, 0);
  for (let filled = 3; filled < rgb.length; filled *= 2)
    rgb.copyWithin(filled, 0, Math.min(filled, rgb.length - filled));
  return rgb;
}
