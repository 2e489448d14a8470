import type { Canvas } from './canvas.ts';
import { emptyFields, fieldsAt } from './fields.ts';
import { expandField, type FieldLattice, fieldMaximum } from './lattice.ts';
import { randomOfCell, smoothStep, valueNoise } from './noise.ts';
import type { Scene } from './scene.ts';

const ADIPOCYTE_CELL_UM = 58;
/** Fat cells can reach this far (in units of the fat field) into stroma by the shape of their own cell. */
const FAT_MARGIN = -0.3;

/** Paints fat cells: empty vacuoles between thin membranes, whole cells at a time. Leaves all else unpainted. */
export function paintFat(scene: Scene, canvas: Canvas, lattice: FieldLattice, depth: Float32Array): void {
  if (fieldMaximum(lattice, 'fat') <= FAT_MARGIN) return;
  const { widthPx, heightPx, mppUm, haematoxylin, eosin } = canvas;
  const fat = expandField(lattice, 'fat');
  const sites = fatSites(scene, canvas);
  for (let y = 0, at = 0; y < heightPx; y++) {
    const yUm = (canvas.y0Px + y) * mppUm;
    for (let x = 0; x < widthPx; x++, at++) {
      if ((depth[at] ?? 0) <= 12 || (fat[at] ?? 0) <= FAT_MARGIN) continue;
      const xUm = (canvas.x0Px + x) * mppUm;
      const membrane = fatMembrane(sites, xUm, yUm);
      if (membrane < 0) continue;
      eosin[at] = 0.012 + (0.28 + 0.3 * valueNoise(scene.noise, xUm / 3, yUm / 3)) * membrane;
      haematoxylin[at] = 0.05 * membrane;
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
