import type { Canvas } from './canvas.ts';
import { emptyFields, fieldsAt } from './fields.ts';
import { expandField, type FieldLattice, fieldMaximum } from './lattice.ts';
import { randomOfCell, smoothStep, valueNoise } from './noise.ts';
import type { Scene } from './scene.ts';

const ADIPOCYTE_CELL_UM = 58;
/** Fat cells can reach this far (in units of the fat field) into stroma by the shape of their own cell. */
const FAT_MARGIN = -0.3;

/** Paints what fills the tissue: collagen with clefts, nests of tumour, fat cells; leaves glass empty. */
export function paintGround(scene: Scene, canvas: Canvas, lattice: FieldLattice, depth: Float32Array): void {
  const { widthPx, heightPx, mppUm, haematoxylin, eosin } = canvas;
  const { noise } = scene;
  const across = expandField(lattice, 'across');
  const along = expandField(lattice, 'along');
  const tone = expandField(lattice, 'tone');
  const loose = expandField(lattice, 'loose');
  const opening = expandField(lattice, 'opening');
  const hasNest = fieldMaximum(lattice, 'nest') > -8;
  const nest = hasNest ? expandField(lattice, 'nest') : null;
  const fat = fieldMaximum(lattice, 'fat') > FAT_MARGIN ? expandField(lattice, 'fat') : null;
  const sites = fat === null ? null : fatSites(scene, canvas);

  for (let y = 0, at = 0; y < heightPx; y++) {
    const yUm = (canvas.y0Px + y) * mppUm;
    for (let x = 0; x < widthPx; x++, at++) {
      const inside = depth[at] ?? 0;
      if (inside < -9) continue;
      const xUm = (canvas.x0Px + x) * mppUm;
      if (fat !== null && sites !== null && inside > 12 && (fat[at] ?? 0) > FAT_MARGIN) {
        const membrane = fatMembrane(sites, xUm, yUm);
        if (membrane >= 0) {
          eosin[at] = 0.012 + (0.28 + 0.3 * valueNoise(noise, xUm / 3, yUm / 3)) * membrane;
          haematoxylin[at] = 0.05 * membrane;
          continue;
        }
      }
      const u = across[at] ?? 0;
      const v = along[at] ?? 0;
      const crimped = u + 2.2 * valueNoise(noise, u / 34 + 3, v / 8.5);
      const thin = valueNoise(noise, crimped / 1.25, v / 17);
      const thick = valueNoise(noise, crimped / 7 + 31, v / 52);
      const edge = smoothStep(-1.2, 0.6, inside + (thick + 0.4 * thin - 0.7) * 7);
      if (edge === 0) continue;
      const openness = loose[at] ?? 0;
      const bundle = valueNoise(noise, crimped / 15 + 80, v / 74 + 9);
      // Clefts open along the lines on which `thick` passes its mean, as wide as the place is loose.
      const halfWidth = 0.26 * ((opening[at] ?? 0) - 0.4 + 0.24 * openness);
      const opened = smoothStep(0, 0.05, halfWidth);
      const solid = 1 - opened * (1 - smoothStep(halfWidth - 0.045, halfWidth + 0.045, Math.abs(thick - 0.5)));
      const strength = (tone[at] ?? 1) * (0.54 - 0.3 * openness);
      const grain = valueNoise(noise, xUm / 2.3, yUm / 2.3 + 50);
      const fibre = 0.85 * thin + 1.45 * bundle * bundle - 0.04 + (0.16 + 0.45 * openness) * grain;
      const pink = strength * fibre;
      let e = (pink > 0.62 ? 0.62 + 0.55 * (pink - 0.62) : pink) * solid + 0.025;
      let h = (0.01 + 0.09 * openness * (0.4 + grain) + 0.11 * thin) * solid;
      if (nest !== null) {
        const within = nest[at] ?? 0;
        if (within > -4) {
          const cover = smoothStep(-0.8, 0.8, within);
          const retracted = smoothStep(-3.6, -2, within) * (1 - cover) * 0.9 * smoothStep(0.35, 0.55, bundle);
          const grit = valueNoise(noise, xUm / 1.6, yUm / 1.6);
          const cloud = valueNoise(noise, xUm / 7, yUm / 7);
          e = e * (1 - cover) * (1 - retracted) + cover * (0.2 + 0.14 * grit + 0.16 * cloud);
          h = h * (1 - cover) * (1 - retracted) + cover * (0.1 + 0.12 * grit + 0.2 * cloud);
        }
      }
      eosin[at] = e * edge;
      haematoxylin[at] = h * edge;
    }
  }
}

/** Centres of fat cells around a canvas, on their jittered grid. */
interface FatSites {
  readonly left: number;
  readonly top: number;
  readonly columns: number;
  readonly rows: number;
  readonly xUm: Float32Array;
  readonly yUm: Float32Array;
  readonly isFat: Uint8Array;
}

function fatSites(scene: Scene, canvas: Canvas): FatSites {
  const { mppUm } = canvas;
  const left = Math.floor((canvas.x0Px * mppUm) / ADIPOCYTE_CELL_UM) - 2;
  const top = Math.floor((canvas.y0Px * mppUm) / ADIPOCYTE_CELL_UM) - 2;
  const columns = Math.floor(((canvas.x0Px + canvas.widthPx) * mppUm) / ADIPOCYTE_CELL_UM) + 3 - left;
  const rows = Math.floor(((canvas.y0Px + canvas.heightPx) * mppUm) / ADIPOCYTE_CELL_UM) + 3 - top;
  const sites: FatSites = {
    left,
    top,
    columns,
    rows,
    xUm: new Float32Array(columns * rows),
    yUm: new Float32Array(columns * rows),
    isFat: new Uint8Array(columns * rows),
  };
  const fields = emptyFields();
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const at = row * columns + column;
      const random = randomOfCell(left + column, top + row, scene.seed ^ 0xfa7);
      const x = (left + column + 0.5 + (random() - 0.5) * 0.85) * ADIPOCYTE_CELL_UM;
      const y = (top + row + 0.5 + (random() - 0.5) * 0.85) * ADIPOCYTE_CELL_UM;
      sites.xUm[at] = x;
      sites.yUm[at] = y;
      sites.isFat[at] = fieldsAt(scene, x, y, fields).fat > 0 && fields.depth > 45 ? 1 : 0;
    }
  }
  return sites;
}

/** 0 inside a fat cell's vacuole .. 1 on its membrane; -1 where the place belongs to no fat cell. */
function fatMembrane(sites: FatSites, xUm: number, yUm: number): number {
  const column = Math.floor(xUm / ADIPOCYTE_CELL_UM) - sites.left;
  const row = Math.floor(yUm / ADIPOCYTE_CELL_UM) - sites.top;
  let first = Number.POSITIVE_INFINITY;
  let second = first;
  let third = first;
  let isFat = 0;
  for (let dy = -1; dy <= 1; dy++) {
    for (let dx = -1; dx <= 1; dx++) {
      const at = (row + dy) * sites.columns + column + dx;
      const px = xUm - (sites.xUm[at] ?? 0);
      const py = yUm - (sites.yUm[at] ?? 0);
      const distance = px * px + py * py;
      if (distance < first) {
        third = second;
        second = first;
        first = distance;
        isFat = sites.isFat[at] ?? 0;
      } else if (distance < second) {
        third = second;
        second = distance;
      } else if (distance < third) third = distance;
    }
  }
  if (isFat === 0) return -1;
  const nearest = Math.sqrt(first);
  const toEdge = Math.sqrt(second) - nearest;
  const toCorner = Math.sqrt(third) - nearest;
  const rounded = toEdge - 4.5 * Math.max(0, 1 - toCorner / 20);
  return 1 - smoothStep(1.2, 3, rounded);
}
