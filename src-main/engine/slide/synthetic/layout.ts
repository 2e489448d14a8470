import { type Random, randomOfCell } from './noise.ts';

/** A closed outline: an ellipse whose radius swings with the angle. All lengths in µm, angles in radians. */
export interface Blob {
  readonly xUm: number;
  readonly yUm: number;
  readonly radiusXUm: number;
  readonly radiusYUm: number;
  readonly angle: number;
  /** Amplitude and phase of cos(k a + phase) for k = 2, 3, 4, 5. */
  readonly swing: readonly (readonly [number, number])[];
}

/** A stroke of ink on the glass. */
export interface PenStroke {
  readonly points: readonly (readonly [number, number])[];
  readonly widthUm: number;
  /** Share of light each channel lets through at full ink. */
  readonly transmission: readonly [number, number, number];
}

export interface BlurPatch {
  readonly xUm: number;
  readonly yUm: number;
  readonly radiusUm: number;
}

/** Where everything lies on the slide: a pure function of size and seed. */
export interface Layout {
  readonly widthUm: number;
  readonly heightUm: number;
  readonly pieces: readonly Blob[];
  /** How far outlines stray from their ideal, 1 on slides of usual size, less where that would eat a small piece up. */
  readonly roughness: number;
  readonly lesions: readonly Blob[];
  readonly pens: readonly PenStroke[];
  readonly blurs: readonly BlurPatch[];
}

/** Largest cell that holds one piece of tissue: a real block is about this large. */
const PIECE_CELL_UM = 14_000;

const INKS = [
  [0.13, 0.42, 0.3],
  [0.12, 0.22, 0.62],
  [0.1, 0.1, 0.11],
] as const;

/** Lays out tissue pieces, lesions, pen strokes and out-of-focus patches on a slide of the given size. */
export function layOut(widthUm: number, heightUm: number, seed: number, lesionCount: number): Layout {
  const random = randomOfCell(seed, 1, 0x1a0);
  const pieces = placePieces(widthUm, heightUm, random);
  const lesions = placeLesions(pieces, lesionCount, randomOfCell(seed, 2, 0x1a1));
  const pens = placePens(widthUm, heightUm, randomOfCell(seed, 3, 0x1a2));
  const blurs = placeBlurs(pieces, lesions, randomOfCell(seed, 4, 0x1a3));
  const roughness = Math.min(1, ...pieces.map((piece) => Math.min(piece.radiusXUm, piece.radiusYUm) / 700));
  return { widthUm, heightUm, pieces, roughness, lesions, pens, blurs };
}

/** Unit-less distance from a blob's centre, 1 on its outline. */
export function blobRadius(blob: Blob, xUm: number, yUm: number): number {
  const dx = xUm - blob.xUm;
  const dy = yUm - blob.yUm;
  const cos = Math.cos(blob.angle);
  const sin = Math.sin(blob.angle);
  const u = (dx * cos + dy * sin) / blob.radiusXUm;
  const v = (dy * cos - dx * sin) / blob.radiusYUm;
  const angle = Math.atan2(v, u);
  let outline = 1;
  blob.swing.forEach(([amplitude, phase], index) => {
    outline += amplitude * Math.cos((index + 2) * angle + phase);
  });
  return Math.hypot(u, v) / outline;
}

function placePieces(widthUm: number, heightUm: number, random: Random): Blob[] {
  const columns = Math.max(1, Math.round(widthUm / PIECE_CELL_UM));
  const rows = Math.max(1, Math.round(heightUm / PIECE_CELL_UM));
  const cellWidth = widthUm / columns;
  const cellHeight = heightUm / rows;
  const pieces: Blob[] = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const shrink = 0.88 + 0.1 * random();
      pieces.push({
        xUm: (column + 0.5 + (random() - 0.5) * 0.05) * cellWidth,
        yUm: (row + 0.5 + (random() - 0.5) * 0.05) * cellHeight,
        radiusXUm: 0.44 * cellWidth * shrink,
        radiusYUm: 0.43 * cellHeight * shrink,
        angle: (random() - 0.5) * 0.16,
        swing: swings(random, 0.1),
      });
    }
  }
  return pieces;
}

function placeLesions(pieces: readonly Blob[], count: number, random: Random): Blob[] {
  const lesions: Blob[] = [];
  for (let attempt = 0; lesions.length < count && attempt < count * 400; attempt++) {
    const piece = pieces[Math.floor(random() * pieces.length)];
    if (!piece) break;
    const reach = Math.min(piece.radiusXUm, piece.radiusYUm);
    const radius = Math.min(1800, reach * (0.26 + 0.14 * random()));
    const angle = random() * 2 * Math.PI;
    const away = 0.2 + 0.42 * random();
    const lesion: Blob = {
      xUm: piece.xUm + piece.radiusXUm * away * Math.cos(angle),
      yUm: piece.yUm + piece.radiusYUm * away * Math.sin(angle),
      radiusXUm: radius * (1 + 0.25 * random()),
      radiusYUm: radius * (0.75 + 0.2 * random()),
      angle: random() * Math.PI,
      swing: swings(random, 0.13),
    };
    const isFree = lesions.every(
      (other) =>
        Math.hypot(other.xUm - lesion.xUm, other.yUm - lesion.yUm) > 1.25 * (other.radiusXUm + lesion.radiusXUm),
    );
    if (isFree || attempt > count * 300) lesions.push(lesion);
  }
  return lesions;
}

/** Strokes in the margins, as a technician marks a block or a lesion's side; never the middle of the slide. */
function placePens(widthUm: number, heightUm: number, random: Random): PenStroke[] {
  const short = Math.min(widthUm, heightUm);
  const widthOfStroke = Math.min(700, Math.max(60, short * 0.05));
  const count = Math.min(6, 1 + Math.floor(short / 9000));
  const pens: PenStroke[] = [];
  for (let index = 0; index < count; index++) {
    const corner = Math.floor(random() * 4);
    const atX = corner % 2 === 0 ? 0.055 : 0.945;
    const atY = corner < 2 ? 0.08 : 0.92;
    const length = short * (0.2 + 0.12 * random());
    const angle = Math.PI * (0.25 + 0.25 * (random() - 0.5)) * (corner === 0 || corner === 3 ? -1 : 1);
    const bend = (random() - 0.5) * 0.5;
    const points = Array.from({ length: 13 }, (_, step): readonly [number, number] => {
      const along = (step / 12 - 0.5) * length;
      const across = bend * length * (4 * (step / 12 - 0.5) ** 2 - 0.5) + (random() - 0.5) * widthOfStroke * 0.12;
      return [
        atX * widthUm + along * Math.cos(angle) - across * Math.sin(angle),
        atY * heightUm + along * Math.sin(angle) + across * Math.cos(angle),
      ];
    });
    // Black is rare: in a corner it is hard to tell from what the scanner left black.
    const ink = INKS[Math.floor(random() ** 1.5 * INKS.length)] ?? INKS[0];
    pens.push({ points, widthUm: widthOfStroke, transmission: ink });
  }
  return pens;
}

function placeBlurs(pieces: readonly Blob[], lesions: readonly Blob[], random: Random): BlurPatch[] {
  const blurs: BlurPatch[] = [];
  for (const piece of pieces) {
    const reach = Math.min(piece.radiusXUm, piece.radiusYUm);
    const radiusUm = Math.min(900, reach * (0.19 + 0.08 * random()));
    for (let attempt = 0; attempt < 60; attempt++) {
      const angle = random() * 2 * Math.PI;
      const away = 0.35 + 0.5 * random();
      const xUm = piece.xUm + piece.radiusXUm * away * Math.cos(angle);
      const yUm = piece.yUm + piece.radiusYUm * away * Math.sin(angle);
      const isFree = lesions.every(
        (lesion) => Math.hypot(lesion.xUm - xUm, lesion.yUm - yUm) > lesion.radiusXUm + radiusUm,
      );
      if (!isFree) continue;
      blurs.push({ xUm, yUm, radiusUm });
      break;
    }
  }
  return blurs;
}

function swings(random: Random, amplitude: number): (readonly [number, number])[] {
  return Array.from({ length: 4 }, (_, k) => [(amplitude * random()) / (1 + 0.5 * k), random() * 2 * Math.PI] as const);
}
