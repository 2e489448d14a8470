import { blobRadius } from './layout.ts';
import { gradientNoise, randomOfCell, smoothStep, valueNoise } from './noise.ts';
import type { Cluster, Lobule, Scene } from './scene.ts';

/** What the tissue is like at a place. Smooth, so that it can be sampled on a lattice and interpolated. */
export interface Fields {
  /** µm inside the tissue's outline; negative on glass. */
  depth: number;
  /** µm inside a lesion; the planted truth is `lesion > 0`. */
  lesion: number;
  /** µm inside a nest of tumour cells. */
  nest: number;
  /** Above 0 in fat. */
  fat: number;
  /** 1 in the middle of a lobule, 0 at its border, negative outside. */
  lobule: number;
  /** Coordinates across and along the collagen fibres, µm. */
  across: number;
  along: number;
  /** Strength of eosin, about 1. */
  tone: number;
  /** 0 dense collagen .. 1 loose stroma. */
  loose: number;
  /** Density of lymphocytes, 0..1. */
  inflammation: number;
  /** How readily clefts open between the fibres, 0..1. */
  opening: number;
}

export const FIELD_NAMES = [
  'depth',
  'lesion',
  'nest',
  'fat',
  'lobule',
  'across',
  'along',
  'tone',
  'loose',
  'inflammation',
  'opening',
] as const satisfies readonly (keyof Fields)[];

export type FieldName = (typeof FIELD_NAMES)[number];

const FAR = -1e6;
const LOBULE_CELL_UM = 470;
const CLUSTER_CELL_UM = 480;

export function emptyFields(): Fields {
  return {
    depth: 0,
    lesion: 0,
    nest: 0,
    fat: 0,
    lobule: 0,
    across: 0,
    along: 0,
    tone: 1,
    loose: 0,
    inflammation: 0,
    opening: 0,
  };
}

/** Fills `out` with the fields at a place in µm. */
export function fieldsAt(scene: Scene, x: number, y: number, out: Fields): Fields {
  const { noise } = scene;
  const broad = gradientNoise(noise, x / 430, y / 430);
  const middle = gradientNoise(noise, x / 127 + 50, y / 127 + 50);
  const fine = gradientNoise(noise, x / 41 + 90, y / 41 + 90);
  out.depth = outlineDepth(scene, x, y) + scene.layout.roughness * (110 * broad + 42 * middle + 16 * fine);
  const tear = Math.abs(gradientNoise(noise, x / 900 + 7.3, y / 420 + 3.1)) * 260;
  const tearWidth = 40 * gradientNoise(noise, x / 700 + 33, y / 700 + 21) - 10;
  out.depth = Math.min(out.depth, tear - tearWidth);

  out.lesion = lesionDepth(scene, x, y, middle, fine);
  out.lobule = lobuleAt(scene, x, y) + 0.22 * middle + 0.12 * fine - 3 * smoothStep(-60, 90, out.lesion);
  out.nest = nestDepth(scene, x, y, out.lesion);
  out.fat =
    gradientNoise(noise, x / 820 + 150, y / 820 + 10) +
    0.25 * gradientNoise(noise, x / 230 + 11, y / 230 + 160) -
    0.1 -
    0.9 * smoothStep(-0.45, 0.15, out.lobule) -
    smoothStep(-60, 60, out.lesion);

  const angle = scene.seed % 7;
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  const swirl =
    1300 * gradientNoise(noise, x / 1350 + 7, y / 1350 + 65) +
    100 * gradientNoise(noise, x / 370 + 77, y / 370 + 5) +
    15 * gradientNoise(noise, x / 96 + 5, y / 96 + 77);
  const drift = 90 * gradientNoise(noise, x / 310 + 20, y / 310 + 140) + 6 * fine;
  out.across = 0.55 * (x * cos + y * sin) + swirl + 50 * smoothStep(-0.9, 0.9, out.lobule);
  out.along = y * cos - x * sin + 1300 * gradientNoise(noise, x / 1350 + 165, y / 1350 + 25) + drift;
  out.tone = 1 + 0.32 * gradientNoise(noise, x / 520 + 60, y / 520 + 90) + 0.34 * middle;
  const wild = gradientNoise(noise, x / 260 + 101, y / 260 + 55);
  out.loose = Math.max(
    smoothStep(-0.15, 0.25, out.lobule),
    0.75 * smoothStep(-40, 60, out.lesion),
    smoothStep(0.05, 0.45, wild),
  );
  out.opening = valueNoise(noise, out.across / 46 + 12, out.along / 66 + 5);
  out.inflammation = inflammationAt(scene, x, y, out.lesion, middle);
  return out;
}

/** µm inside the nearest piece by its ideal outline. */
export function outlineDepth(scene: Scene, x: number, y: number): number {
  let depth = FAR;
  for (const piece of scene.layout.pieces) {
    const reach = Math.min(piece.radiusXUm, piece.radiusYUm);
    depth = Math.max(depth, (1 - blobRadius(piece, x, y)) * reach);
  }
  return depth;
}

function lesionDepth(scene: Scene, x: number, y: number, middle: number, fine: number): number {
  let depth = FAR;
  for (const lesion of scene.layout.lesions) {
    const reach = Math.min(lesion.radiusXUm, lesion.radiusYUm);
    if (Math.hypot(x - lesion.xUm, y - lesion.yUm) > 3 * Math.max(lesion.radiusXUm, lesion.radiusYUm)) continue;
    const ragged = Math.min(1, reach / 200) * (90 * middle + 30 * fine);
    depth = Math.max(depth, (1 - blobRadius(lesion, x, y)) * reach + ragged);
  }
  return depth;
}

/** µm inside the planted lesion at a place: the truth mask is where this is above 0 and there is tissue. */
export function lesionTruth(scene: Scene, x: number, y: number, scratch: Fields): boolean {
  if (scene.layout.lesions.length === 0) return false;
  fieldsAt(scene, x, y, scratch);
  return scratch.lesion > 0 && scratch.depth > 0;
}

function nestDepth(scene: Scene, x: number, y: number, lesion: number): number {
  if (lesion < -40) return -100;
  const { noise } = scene;
  const warpX = x + 30 * gradientNoise(noise, x / 90 + 3, y / 90 + 44);
  const warpY = y + 30 * gradientNoise(noise, x / 90 + 44, y / 90 + 3);
  const shape =
    gradientNoise(noise, warpX / 88 + 13, warpY / 62 + 29) + 0.4 * gradientNoise(noise, warpX / 37, warpY / 37);
  return Math.min(75 * (shape + 0.13), 0.6 * lesion + 8);
}

function lobuleAt(scene: Scene, x: number, y: number): number {
  const column = Math.floor(x / LOBULE_CELL_UM);
  const row = Math.floor(y / LOBULE_CELL_UM);
  let best = -2;
  for (let dy = -1; dy <= 1; dy++) {
    for (let dx = -1; dx <= 1; dx++) {
      const lobule = lobuleOfCell(scene, column + dx, row + dy);
      if (lobule === null) continue;
      const px = x - lobule.xUm;
      const py = y - lobule.yUm;
      const u = (px * lobule.cos + py * lobule.sin) / lobule.stretch;
      const v = (py * lobule.cos - px * lobule.sin) * lobule.stretch;
      best = Math.max(best, 1 - Math.sqrt(u * u + v * v) / lobule.radiusUm);
    }
  }
  return best;
}

function lobuleOfCell(scene: Scene, column: number, row: number): Lobule | null {
  const key = column * 65536 + row;
  const known = scene.lobules.get(key);
  if (known !== undefined) return known;
  const random = randomOfCell(column, row, scene.seed ^ 0x10b);
  const xUm = (column + 0.2 + 0.6 * random()) * LOBULE_CELL_UM;
  const yUm = (row + 0.2 + 0.6 * random()) * LOBULE_CELL_UM;
  const angle = random() * Math.PI;
  const isThere = random() < 0.92 && outlineDepth(scene, xUm, yUm) > 90;
  const lobule = isThere
    ? {
        xUm,
        yUm,
        radiusUm: 115 + 115 * random(),
        cos: Math.cos(angle),
        sin: Math.sin(angle),
        stretch: 1 + 0.35 * random(),
      }
    : null;
  scene.lobules.set(key, lobule);
  return lobule;
}

function inflammationAt(scene: Scene, x: number, y: number, lesion: number, middle: number): number {
  const column = Math.floor(x / CLUSTER_CELL_UM);
  const row = Math.floor(y / CLUSTER_CELL_UM);
  let density = Math.abs(lesion + 10) < 70 ? 0.75 * smoothStep(0, 0.35, middle) : 0;
  for (let dy = -1; dy <= 1; dy++) {
    for (let dx = -1; dx <= 1; dx++) {
      const cluster = clusterOfCell(scene, column + dx, row + dy);
      if (cluster === null) continue;
      const px = x - cluster.xUm;
      const py = y - cluster.yUm;
      density = Math.max(density, 1.25 * (1 - Math.sqrt(px * px + py * py) / cluster.radiusUm) + 0.5 * middle);
    }
  }
  return Math.min(1, Math.max(0, density));
}

function clusterOfCell(scene: Scene, column: number, row: number): Cluster | null {
  const key = column * 65536 + row;
  const known = scene.clusters.get(key);
  if (known !== undefined) return known;
  const random = randomOfCell(column, row, scene.seed ^ 0x1f1);
  const cluster =
    random() < 0.42
      ? {
          xUm: (column + random()) * CLUSTER_CELL_UM,
          yUm: (row + random()) * CLUSTER_CELL_UM,
          radiusUm: 35 + 75 * random(),
        }
      : null;
  scene.clusters.set(key, cluster);
  return cluster;
}
