import type { FatCells } from './fat-cells.ts';
import { emptyFields, type Fields, fieldsAt } from './fields.ts';
import { type Gland, glandDepth } from './glands.ts';
import { liningNuclei } from './lining.ts';
import { randomOfCell } from './noise.ts';
import { makeNucleus, NUCLEUS_REACH_UM, type Nucleus } from './nucleus.ts';
import { forEachCell, type RectUm, type Scene } from './scene.ts';

const STROMA_CELL_UM = 13;
const LYMPHOCYTE_CELL_UM = 8.2;
const TUMOUR_CELL_UM = 9.8;

/** What placing nuclei around a rectangle needs. */
interface Placing {
  readonly scene: Scene;
  readonly rect: RectUm;
  readonly glands: readonly Gland[];
  readonly fat: FatCells;
  readonly fields: Fields;
  readonly nuclei: Nucleus[];
}

/**
 * All nuclei that can touch the rectangle, in an order that does not depend on it.
 * @param glands all glands that can touch it. @param fat the fat cells around it.
 */
export function nucleiNear(scene: Scene, rect: RectUm, glands: readonly Gland[], fat: FatCells): Nucleus[] {
  const placing: Placing = { scene, rect, glands, fat, fields: emptyFields(), nuclei: [] };
  addStroma(placing);
  addLymphocytes(placing);
  if (scene.layout.lesions.length > 0) addTumour(placing);
  addLinings(placing);
  return placing.nuclei;
}

/** True where no gland covers the place and it is in no fat cell's vacuole. */
function isClear({ glands, fat }: Placing, x: number, y: number): boolean {
  const membrane = fat.membrane(x, y);
  if (membrane >= 0 && membrane < 0.6) return false;
  return glands.every((gland) => glandDepth(gland, x, y) < -1.5);
}

/** Spindle nuclei of fibroblasts along the fibres, some plump. */
function addStroma(placing: Placing): void {
  const { scene, rect, fields, nuclei } = placing;
  forEachCell(rect, STROMA_CELL_UM, NUCLEUS_REACH_UM, (column, row) => {
    const random = randomOfCell(column, row, scene.seed ^ 0x57a);
    const x = (column + random()) * STROMA_CELL_UM;
    const y = (row + random()) * STROMA_CELL_UM;
    fieldsAt(scene, x, y, fields);
    if (fields.depth < 4 || fields.nest > -3) return;
    const crowd = 0.31 + 0.26 * fields.loose + (fields.lesion > 0 ? 0.12 : 0);
    if (random() > crowd || !isClear(placing, x, y)) return;
    const isPlump = random() < 0.25 + 0.25 * fields.loose;
    const shape = {
      angle: fibreAngle(scene, x, y, fields) + (random() - 0.5) * 0.5,
      longUm: isPlump ? 3.4 + 1.6 * random() : 4.2 + 3.6 * random(),
      shortUm: isPlump ? 2 + 0.8 * random() : 1.15 + 0.75 * random(),
      uneven: 0.07,
      dark: 0.8 + 0.4 * random(),
      vesicular: isPlump ? 0.5 : 0.1,
    };
    nuclei.push(makeNucleus(x, y, shape, random));
  });
}

/** Small round dark nuclei in clusters and thinly everywhere in loose stroma. */
function addLymphocytes(placing: Placing): void {
  const { scene, rect, fields, nuclei } = placing;
  forEachCell(rect, LYMPHOCYTE_CELL_UM, NUCLEUS_REACH_UM, (column, row) => {
    const random = randomOfCell(column, row, scene.seed ^ 0x1e9);
    const x = (column + 0.5 + (random() - 0.5) * 0.95) * LYMPHOCYTE_CELL_UM;
    const y = (row + 0.5 + (random() - 0.5) * 0.95) * LYMPHOCYTE_CELL_UM;
    const chance = random();
    if (chance > 0.86) return;
    fieldsAt(scene, x, y, fields);
    const crowd = 0.012 + 0.03 * fields.loose + 0.86 * fields.inflammation;
    if (chance > crowd || fields.depth < 6 || fields.nest > -2) return;
    if (!isClear(placing, x, y)) return;
    const radius = 2.7 + 0.7 * random();
    const shape = {
      angle: random() * Math.PI,
      longUm: radius * 1.06,
      shortUm: radius * 0.94,
      uneven: 0.05,
      dark: 1.05 + 0.3 * random(),
      vesicular: 0.15,
    };
    nuclei.push(makeNucleus(x, y, shape, random));
  });
}

/** Crowded, large, uneven nuclei of the planted lesions: some dark, most pale inside, many with a nucleolus. */
function addTumour(placing: Placing): void {
  const { scene, rect, fields, nuclei } = placing;
  forEachCell(rect, TUMOUR_CELL_UM, NUCLEUS_REACH_UM, (column, row) => {
    const random = randomOfCell(column, row, scene.seed ^ 0x70b);
    const x = (column + 0.5 + (random() - 0.5) * 0.66) * TUMOUR_CELL_UM;
    const y = (row + 0.5 + (random() - 0.5) * 0.66 + (column & 1) * 0.5) * TUMOUR_CELL_UM;
    if (random() > 0.93) return;
    fieldsAt(scene, x, y, fields);
    if (fields.nest < 3.5 || fields.depth < 3 || !isClear(placing, x, y)) return;
    const size = 3.5 + 2.4 * random() ** 1.5;
    const stretch = 1 + 0.5 * random() ** 1.5;
    const isDark = random() < 0.3;
    const shape = {
      angle: random() * Math.PI,
      longUm: size * stretch,
      shortUm: size / stretch ** 0.4,
      uneven: 0.11,
      dark: isDark ? 1.1 + 0.3 * random() : 0.72 + 0.25 * random(),
      vesicular: isDark ? 0.1 : 0.75,
      nucleolusUm: random() < 0.55 && !isDark ? 0.75 + 0.5 * random() : 0,
    };
    nuclei.push(makeNucleus(x, y, shape, random));
  });
}

/** The nuclei of the glands' walls, where no other gland covers them. */
function addLinings({ scene, rect, glands, fields, nuclei }: Placing): void {
  for (const gland of glands) {
    for (const nucleus of liningNuclei(gland)) {
      const { xUm: x, yUm: y } = nucleus;
      if (x < rect.left - NUCLEUS_REACH_UM || x > rect.right + NUCLEUS_REACH_UM) continue;
      if (y < rect.top - NUCLEUS_REACH_UM || y > rect.bottom + NUCLEUS_REACH_UM) continue;
      if (glands.some((other) => other !== gland && glandDepth(other, x, y) > -1)) continue;
      if (fieldsAt(scene, x, y, fields).depth > 2) nuclei.push(nucleus);
    }
  }
}

/** Direction of the fibres: along the lines on which `across` is constant. */
function fibreAngle(scene: Scene, x: number, y: number, scratch: Fields): number {
  const here = fieldsAt(scene, x, y, scratch).across;
  const right = fieldsAt(scene, x + 3, y, scratch).across;
  const below = fieldsAt(scene, x, y + 3, scratch).across;
  return Math.atan2(right - here, -(below - here));
}
