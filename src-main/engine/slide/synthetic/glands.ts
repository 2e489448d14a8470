import { emptyFields, fieldsAt } from './fields.ts';
import { type Random, randomOfCell } from './noise.ts';
import { forEachCell, type RectUm, type Scene } from './scene.ts';

/** A hollow structure with a wall: an acinus or duct lined by epithelium, or a small vessel. Lengths in µm. */
export interface Gland {
  readonly kind: 'acinus' | 'duct' | 'vessel';
  readonly xUm: number;
  readonly yUm: number;
  readonly cos: number;
  readonly sin: number;
  /** Stretched by this along its axis and squeezed by it across. */
  readonly stretch: number;
  readonly radiusUm: number;
  /** Thickness of the wall; the lumen lies deeper. */
  readonly wallUm: number;
  /** Weights of cos 2a, sin 2a, cos 3a, sin 3a, cos 4a, sin 4a in the outline. */
  readonly swing: readonly [number, number, number, number, number, number];
  /** Share of the lumen that secretion fills. */
  readonly secretion: number;
  readonly seed: number;
}

/** How far from its centre a gland can reach. */
export const GLAND_REACH_UM = 260;

const DUCT_CELL_UM = 640;
const ACINUS_CELL_UM = 40;
const VESSEL_CELL_UM = 300;

/** µm inside the outline of a gland; negative outside. Depths beyond `wallUm` are lumen. */
export function glandDepth(gland: Gland, x: number, y: number): number {
  const dx = x - gland.xUm;
  const dy = y - gland.yUm;
  const u = (dx * gland.cos + dy * gland.sin) / gland.stretch;
  const v = (dy * gland.cos - dx * gland.sin) * gland.stretch;
  const r = Math.sqrt(u * u + v * v) + 1e-9;
  return gland.radiusUm * outline(gland, u / r, v / r) - r;
}

/** Outline radius over mean radius in the direction (c, s). */
function outline({ swing }: Gland, c: number, s: number): number {
  const c2 = c * c - s * s;
  const s2 = 2 * c * s;
  const c3 = c2 * c - s2 * s;
  const s3 = s2 * c + c2 * s;
  const c4 = c2 * c2 - s2 * s2;
  const s4 = 2 * c2 * s2;
  return 1 + swing[0] * c2 + swing[1] * s2 + swing[2] * c3 + swing[3] * s3 + swing[4] * c4 + swing[5] * s4;
}

/** The point at `depthUm` inside the outline in direction `angle` of the gland's frame, and the outward normal's angle. */
export function glandPoint(gland: Gland, angle: number, depthUm: number): { x: number; y: number; outward: number } {
  const c = Math.cos(angle);
  const s = Math.sin(angle);
  const r = gland.radiusUm * outline(gland, c, s) - depthUm;
  const u = r * c * gland.stretch;
  const v = (r * s) / gland.stretch;
  const normalU = c / gland.stretch;
  const normalV = s * gland.stretch;
  return {
    x: gland.xUm + u * gland.cos - v * gland.sin,
    y: gland.yUm + u * gland.sin + v * gland.cos,
    outward: Math.atan2(normalU * gland.sin + normalV * gland.cos, normalU * gland.cos - normalV * gland.sin),
  };
}

/** All glands and vessels that can touch the rectangle, in an order that does not depend on it. */
export function glandsNear(scene: Scene, rect: RectUm): Gland[] {
  const ducts: Gland[] = [];
  const fields = emptyFields();
  const isStroma = (x: number, y: number, roomUm: number): boolean => {
    fieldsAt(scene, x, y, fields);
    return fields.depth > roomUm && fields.lesion < -roomUm && fields.fat < -0.05;
  };
  const grown = { left: rect.left - 120, top: rect.top - 120, right: rect.right + 120, bottom: rect.bottom + 120 };
  forEachCell(grown, DUCT_CELL_UM, GLAND_REACH_UM, (column, row) => {
    const random = randomOfCell(column, row, scene.seed ^ 0xd0c);
    const x = (column + random()) * DUCT_CELL_UM;
    const y = (row + random()) * DUCT_CELL_UM;
    if (random() < 0.8 && isStroma(x, y, 110)) ducts.push(makeDuct(x, y, random));
  });
  const glands = [...ducts];
  forEachCell(rect, ACINUS_CELL_UM, 60, (column, row) => {
    const seed = acinusSeed(scene, column, row);
    fieldsAt(scene, seed.x, seed.y, fields);
    if (fields.lobule < 0.08 || fields.depth < 45 || fields.lesion > -40) return;
    if (isCrowdedOut(scene, column, row, seed) || !isFree(ducts, seed.x, seed.y, 30)) return;
    glands.push(makeAcinus(seed));
  });
  forEachCell(rect, VESSEL_CELL_UM, 50, (column, row) => {
    const random = randomOfCell(column, row, scene.seed ^ 0xe55);
    const x = (column + random()) * VESSEL_CELL_UM;
    const y = (row + random()) * VESSEL_CELL_UM;
    if (random() > 0.6) return;
    fieldsAt(scene, x, y, fields);
    if (fields.depth < 40 || fields.fat > -0.05 || fields.nest > -12 || fields.lobule > 0) return;
    if (isFree(ducts, x, y, 45)) glands.push(makeVessel(x, y, random));
  });
  return glands;
}

function isFree(glands: readonly Gland[], x: number, y: number, roomUm: number): boolean {
  return glands.every((gland) => glandDepth(gland, x, y) < -roomUm);
}

function makeDuct(xUm: number, yUm: number, random: Random): Gland {
  const radiusUm = 48 + 62 * random() ** 1.6;
  const [stretch, wallUm] = [1 + 0.5 * random(), 13 + 7 * random()];
  return makeGland({ kind: 'duct', xUm, yUm, radiusUm, stretch, wallUm, uneven: 0.1, filled: 0.45 }, random);
}

/** Where an acinus could be, before its surroundings have a say. */
interface AcinusSeed {
  readonly x: number;
  readonly y: number;
  readonly radiusUm: number;
  readonly mark: number;
  readonly random: Random;
}

function acinusSeed(scene: Scene, column: number, row: number): AcinusSeed {
  const random = randomOfCell(column, row, scene.seed ^ 0xac1);
  return {
    x: (column + 0.5 + (random() - 0.5) * 0.7) * ACINUS_CELL_UM,
    y: (row + 0.5 + (random() - 0.5) * 0.7 + (column & 1) * 0.5) * ACINUS_CELL_UM,
    radiusUm: 16.5 + 10 * random(),
    mark: random(),
    random,
  };
}

/** True where a seed of higher mark stands too close: thins overlaps without regard to order (Matérn 1960, type II). */
function isCrowdedOut(scene: Scene, column: number, row: number, seed: AcinusSeed): boolean {
  for (let dy = -2; dy <= 2; dy++) {
    for (let dx = -1; dx <= 1; dx++) {
      if (dx === 0 && dy === 0) continue;
      const other = acinusSeed(scene, column + dx, row + dy);
      const room = 0.84 * (seed.radiusUm + other.radiusUm);
      if (other.mark > seed.mark && (other.x - seed.x) ** 2 + (other.y - seed.y) ** 2 < room * room) return true;
    }
  }
  return false;
}

function makeAcinus({ x, y, radiusUm, random }: AcinusSeed): Gland {
  const [stretch, wallUm] = [1 + 0.25 * random(), 10.5 + 3.5 * random()];
  return makeGland({ kind: 'acinus', xUm: x, yUm: y, radiusUm, stretch, wallUm, uneven: 0.09, filled: 0.5 }, random);
}

function makeVessel(xUm: number, yUm: number, random: Random): Gland {
  const radiusUm = 7 + 17 * random() ** 2;
  const [stretch, wallUm] = [1 + 0.7 * random(), 2 + 0.1 * radiusUm];
  return makeGland({ kind: 'vessel', xUm, yUm, radiusUm, stretch, wallUm, uneven: 0.08, filled: 0.6 }, random);
}

type GlandShape = Pick<Gland, 'kind' | 'xUm' | 'yUm' | 'radiusUm' | 'stretch' | 'wallUm'> & {
  /** How uneven the outline is, as a share of the radius. */
  readonly uneven: number;
  /** Chance that the lumen holds something. */
  readonly filled: number;
};

function makeGland({ uneven, filled, ...shape }: GlandShape, random: Random): Gland {
  const angle = random() * Math.PI;
  const amount = (): number => (random() * 2 - 1) * uneven;
  return {
    ...shape,
    cos: Math.cos(angle),
    sin: Math.sin(angle),
    swing: [amount(), amount(), amount(), amount(), amount() * 0.7, amount() * 0.7],
    secretion: random() < filled ? 0.35 + 0.6 * random() : 0,
    seed: Math.floor(random() * 0x7fffffff),
  };
}
