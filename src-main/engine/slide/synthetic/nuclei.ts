import { emptyFields, type Fields, fieldsAt } from './fields.ts';
import { type Gland, glandDepth, glandPoint } from './glands.ts';
import { type Random, randomOfCell } from './noise.ts';
import { forEachCell, type RectUm, type Scene } from './scene.ts';

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

/** How far from its centre a nucleus can reach. */
const NUCLEUS_REACH_UM = 16;
const STROMA_CELL_UM = 13;
const LYMPHOCYTE_CELL_UM = 8.2;
const TUMOUR_CELL_UM = 9.8;

/** All nuclei that can touch the rectangle, in an order that does not depend on it. */
export function nucleiNear(scene: Scene, rect: RectUm, glands: readonly Gland[]): Nucleus[] {
  const nuclei: Nucleus[] = [];
  const fields = emptyFields();
  const isClear = (x: number, y: number): boolean => glands.every((gland) => glandDepth(gland, x, y) < -1.5);
  addStroma(scene, rect, nuclei, fields, isClear);
  addLymphocytes(scene, rect, nuclei, fields, isClear);
  addTumour(scene, rect, nuclei, fields, isClear);
  for (const gland of glands) addLining(scene, gland, glands, rect, nuclei, fields);
  return nuclei;
}

/** Spindle nuclei of fibroblasts along the fibres. */
function addStroma(
  scene: Scene,
  rect: RectUm,
  nuclei: Nucleus[],
  fields: Fields,
  isClear: (x: number, y: number) => boolean,
): void {
  forEachCell(rect, STROMA_CELL_UM, NUCLEUS_REACH_UM, (column, row) => {
    const random = randomOfCell(column, row, scene.seed ^ 0x57a);
    const x = (column + random()) * STROMA_CELL_UM;
    const y = (row + random()) * STROMA_CELL_UM;
    fieldsAt(scene, x, y, fields);
    if (fields.depth < 4 || fields.fat > -0.02 || fields.nest > -3) return;
    const crowd = 0.31 + 0.26 * fields.loose + (fields.lesion > 0 ? 0.12 : 0);
    if (random() > crowd || !isClear(x, y)) return;
    const fibre = fibreAngle(scene, x, y, fields) + (random() - 0.5) * 0.5;
    const isPlump = random() < 0.25 + 0.25 * fields.loose;
    const longUm = isPlump ? 3.4 + 1.6 * random() : 4.2 + 3.6 * random();
    const shortUm = isPlump ? 2 + 0.8 * random() : 1.15 + 0.75 * random();
    nuclei.push(makeNucleus(x, y, fibre, longUm, shortUm, 0.07, 0.8 + 0.4 * random(), isPlump ? 0.5 : 0.1, 0, random));
  });
}

/** Small round dark nuclei in clusters and thinly everywhere in loose stroma. */
function addLymphocytes(
  scene: Scene,
  rect: RectUm,
  nuclei: Nucleus[],
  fields: Fields,
  isClear: (x: number, y: number) => boolean,
): void {
  forEachCell(rect, LYMPHOCYTE_CELL_UM, NUCLEUS_REACH_UM, (column, row) => {
    const random = randomOfCell(column, row, scene.seed ^ 0x1e9);
    const x = (column + 0.5 + (random() - 0.5) * 0.95) * LYMPHOCYTE_CELL_UM;
    const y = (row + 0.5 + (random() - 0.5) * 0.95) * LYMPHOCYTE_CELL_UM;
    const chance = random();
    if (chance > 0.86) return;
    fieldsAt(scene, x, y, fields);
    const crowd = 0.012 + 0.03 * fields.loose + 0.86 * fields.inflammation;
    if (chance > crowd || fields.depth < 6 || fields.fat > -0.02 || fields.nest > -2 || !isClear(x, y)) return;
    const radius = 2.7 + 0.7 * random();
    nuclei.push(
      makeNucleus(x, y, random() * 3.1, radius * 1.06, radius * 0.94, 0.05, 1.05 + 0.3 * random(), 0.15, 0, random),
    );
  });
}

/** Crowded, large, dark, uneven nuclei of the planted lesions. */
function addTumour(
  scene: Scene,
  rect: RectUm,
  nuclei: Nucleus[],
  fields: Fields,
  isClear: (x: number, y: number) => boolean,
): void {
  if (scene.layout.lesions.length === 0) return;
  forEachCell(rect, TUMOUR_CELL_UM, NUCLEUS_REACH_UM, (column, row) => {
    const random = randomOfCell(column, row, scene.seed ^ 0x70b);
    const x = (column + 0.5 + (random() - 0.5) * 0.66) * TUMOUR_CELL_UM;
    const y = (row + 0.5 + (random() - 0.5) * 0.66 + (column & 1) * 0.5) * TUMOUR_CELL_UM;
    if (random() > 0.93) return;
    fieldsAt(scene, x, y, fields);
    if (fields.nest < 3.5 || fields.depth < 3 || !isClear(x, y)) return;
    const size = 3.5 + 2.4 * random() ** 1.5;
    const stretch = 1 + 0.5 * random() ** 1.5;
    const isDark = random() < 0.3;
    nuclei.push(
      makeNucleus(
        x,
        y,
        random() * Math.PI,
        size * stretch,
        size / stretch ** 0.4,
        0.11,
        isDark ? 1.1 + 0.3 * random() : 0.72 + 0.25 * random(),
        isDark ? 0.1 : 0.75,
        random() < 0.55 && !isDark ? 0.75 + 0.5 * random() : 0,
        random,
      ),
    );
  });
}

/** The nuclei of a gland's epithelium (with its flat outer layer) or of a vessel's endothelium. */
function addLining(
  scene: Scene,
  gland: Gland,
  glands: readonly Gland[],
  rect: RectUm,
  nuclei: Nucleus[],
  fields: Fields,
): void {
  const add = (angle: number, depthUm: number, make: (place: ReturnType<typeof glandPoint>) => Nucleus): void => {
    const place = glandPoint(gland, angle, depthUm);
    const nucleus = make(place);
    if (place.x < rect.left - NUCLEUS_REACH_UM || place.x > rect.right + NUCLEUS_REACH_UM) return;
    if (place.y < rect.top - NUCLEUS_REACH_UM || place.y > rect.bottom + NUCLEUS_REACH_UM) return;
    if (glands.some((other) => other !== gland && glandDepth(other, place.x, place.y) > -1)) return;
    if (fieldsAt(scene, place.x, place.y, fields).depth > 2) nuclei.push(nucleus);
  };
  const random = randomOfCell(gland.seed, 0, 0x11);
  if (gland.kind === 'vessel') {
    ring(gland, 0.9, 11, random, (angle) => {
      const [long, short, dark] = [2.8 + 1.6 * random(), 1 + 0.5 * random(), 0.95 + 0.25 * random()];
      if (random() < 0.75)
        add(angle, 0.9, ({ x, y, outward }) =>
          makeNucleus(x, y, outward + Math.PI / 2, long, short, 0.05, dark, 0.1, 0, random),
        );
    });
    return;
  }
  ring(gland, 1.4, 12.5, random, (angle) => {
    const [long, short, dark] = [2.8 + 1.3 * random(), 1.15 + 0.4 * random(), 0.95 + 0.25 * random()];
    if (random() < 0.8)
      add(angle, 1.5, ({ x, y, outward }) =>
        makeNucleus(x, y, outward + Math.PI / 2, long, short, 0.05, dark, 0.1, 0, random),
      );
  });
  const rows = gland.kind === 'duct' && gland.wallUm > 16 ? 2 : 1;
  for (let row = 0; row < rows; row++) {
    const base = rows === 2 ? 0.36 + 0.26 * row : 0.5;
    ring(gland, gland.wallUm * base, 6.1, random, (angle) => {
      const depth = gland.wallUm * (base + (random() - 0.5) * 0.16);
      const [long, short] = [3 + 0.9 * random(), 2.25 + 0.5 * random()];
      const [dark, pale, tilt] = [0.78 + 0.28 * random(), 0.3 + 0.45 * random(), (random() - 0.5) * 0.7];
      add(angle, depth, ({ x, y, outward }) =>
        makeNucleus(x, y, outward + tilt, long, short, 0.06, dark, pale, 0, random),
      );
    });
  }
}

/** Calls `visit` with angles spaced `spacingUm` apart along the ring at a depth, each a little off. */
function ring(gland: Gland, depthUm: number, spacingUm: number, random: Random, visit: (angle: number) => void): void {
  const radius = Math.max(2, gland.radiusUm - depthUm);
  const count = Math.max(3, Math.floor((2 * Math.PI * radius) / spacingUm));
  for (let index = 0; index < count; index++) visit(((index + 0.5 * (random() - 0.5)) * 2 * Math.PI) / count);
}

/** Direction of the fibres: along the lines on which `across` is constant. */
function fibreAngle(scene: Scene, x: number, y: number, scratch: Fields): number {
  const { loose, lesion } = scratch;
  const here = fieldsAt(scene, x, y, scratch).across;
  const right = fieldsAt(scene, x + 3, y, scratch).across;
  const below = fieldsAt(scene, x, y + 3, scratch).across;
  scratch.loose = loose;
  scratch.lesion = lesion;
  return Math.atan2(right - here, -(below - here));
}

function makeNucleus(
  xUm: number,
  yUm: number,
  angle: number,
  longUm: number,
  shortUm: number,
  swing: number,
  stain: number,
  vesicular: number,
  nucleolusUm: number,
  random: Random,
): Nucleus {
  const amount = (): number => (random() * 2 - 1) * swing;
  return {
    xUm,
    yUm,
    cos: Math.cos(angle),
    sin: Math.sin(angle),
    longUm,
    shortUm,
    swing: [amount(), amount(), amount(), amount()],
    stain: stain * 1.22,
    vesicular,
    nucleolusUm,
  };
}
