import type { Canvas } from './canvas.ts';
import { emptyFields, fieldsAt } from './fields.ts';
import { randomOfCell, smoothStep, valueNoise } from './noise.ts';
import type { RectUm, Scene } from './scene.ts';

const CELL_UM = 58;

/** The fat cells around a rectangle: the Voronoi cells of points on a jittered grid, each wholly fat or wholly not. */
export class FatCells {
  /** True where no cell around the rectangle is fat. */
  readonly isEmpty: boolean;
  readonly #left: number;
  readonly #top: number;
  readonly #columns: number;
  readonly #rows: number;
  readonly #xUm: Float32Array;
  readonly #yUm: Float32Array;
  readonly #isFat: Uint8Array;

  constructor(scene: Scene, rect: RectUm) {
    this.#left = Math.floor(rect.left / CELL_UM) - 2;
    this.#top = Math.floor(rect.top / CELL_UM) - 2;
    this.#columns = Math.floor(rect.right / CELL_UM) + 3 - this.#left;
    this.#rows = Math.floor(rect.bottom / CELL_UM) + 3 - this.#top;
    const count = this.#columns * this.#rows;
    this.#xUm = new Float32Array(count);
    this.#yUm = new Float32Array(count);
    this.#isFat = new Uint8Array(count);
    const fields = emptyFields();
    for (let at = 0; at < count; at++) {
      const column = this.#left + (at % this.#columns);
      const row = this.#top + Math.floor(at / this.#columns);
      const random = randomOfCell(column, row, scene.seed ^ 0xfa7);
      const x = (column + 0.5 + (random() - 0.5) * 0.85) * CELL_UM;
      const y = (row + 0.5 + (random() - 0.5) * 0.85) * CELL_UM;
      this.#xUm[at] = x;
      this.#yUm[at] = y;
      this.#isFat[at] = fieldsAt(scene, x, y, fields).fat > 0 && fields.depth > 55 ? 1 : 0;
    }
    this.isEmpty = !this.#isFat.includes(1);
  }

  /**
   * 0 inside a fat cell's vacuole .. 1 on its membrane; -1 where the place belongs to no fat cell.
   * The place must lie within 58 µm of the rectangle.
   */
  membrane(xUm: number, yUm: number): number {
    if (this.isEmpty) return -1;
    const middle = (Math.floor(yUm / CELL_UM) - this.#top) * this.#columns + Math.floor(xUm / CELL_UM) - this.#left;
    let first = Number.POSITIVE_INFINITY;
    let second = first;
    let third = first;
    let isFat = 0;
    for (let dy = -1; dy <= 1; dy++) {
      for (let dx = -1; dx <= 1; dx++) {
        const at = middle + dy * this.#columns + dx;
        const px = xUm - (this.#xUm[at] ?? 0);
        const py = yUm - (this.#yUm[at] ?? 0);
        const distance = px * px + py * py;
        if (distance < first) {
          third = second;
          second = first;
          first = distance;
          isFat = this.#isFat[at] ?? 0;
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
}

/** Paints fat cells: empty vacuoles between thin membranes. Leaves all else unpainted. */
export function paintFat(scene: Scene, canvas: Canvas, cells: FatCells, depth: Float32Array): void {
  if (cells.isEmpty) return;
  const { widthPx, heightPx, mppUm, haematoxylin, eosin } = canvas;
  for (let y = 0, at = 0; y < heightPx; y++) {
    const yUm = (canvas.y0Px + y) * mppUm;
    for (let x = 0; x < widthPx; x++, at++) {
      if ((depth[at] ?? 0) <= 8) continue;
      const xUm = (canvas.x0Px + x) * mppUm;
      const membrane = cells.membrane(xUm, yUm);
      if (membrane < 0) continue;
      eosin[at] = 0.012 + (0.28 + 0.3 * valueNoise(scene.noise, xUm / 3, yUm / 3)) * membrane;
      haematoxylin[at] = 0.05 * membrane;
    }
  }
}
