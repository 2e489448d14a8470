import type { BlurPatch, PenStroke } from './layout.ts';
import { smoothStep, valueNoise } from './noise.ts';
import type { Scene } from './scene.ts';

/** Standard deviation of the blur of an out-of-focus patch, µm, made of three box passes. */
const BLUR_BOX_UM = 2.4;

/** Pixels of margin that blurring a rectangle needs. */
export function blurMarginPx(mppUm: number): number {
  return 3 * boxRadiusPx(mppUm);
}

function boxRadiusPx(mppUm: number): number {
  return Math.max(1, Math.round(BLUR_BOX_UM / mppUm));
}

/** How much out of focus a place is, 0..1. */
export function blurAt(scene: Scene, xUm: number, yUm: number): number {
  let amount = 0;
  for (const patch of scene.layout.blurs) {
    const dx = xUm - patch.xUm;
    const dy = yUm - patch.yUm;
    const distance = Math.sqrt(dx * dx + dy * dy) / patch.radiusUm;
    if (distance > 1.4) continue;
    const wobble = 0.5 * (valueNoise(scene.noise, xUm / 110, yUm / 110) - 0.5);
    amount = Math.max(amount, 1 - smoothStep(0.65, 1, distance + wobble));
  }
  return amount;
}

export function touchesBlur(
  patches: readonly BlurPatch[],
  leftUm: number,
  topUm: number,
  rightUm: number,
  bottomUm: number,
): boolean {
  return patches.some(({ xUm, yUm, radiusUm }) => {
    const dx = Math.max(leftUm - xUm, 0, xUm - rightUm);
    const dy = Math.max(topUm - yUm, 0, yUm - bottomUm);
    return Math.hypot(dx, dy) < radiusUm * 1.4;
  });
}

/** Three box passes in whole numbers: the same pixels whatever rectangle they are computed in. */
export function boxBlur(rgb: Uint8Array, widthPx: number, heightPx: number, mppUm: number): Uint8Array {
  const radius = boxRadiusPx(mppUm);
  let image = rgb;
  for (let pass = 0; pass < 3; pass++) {
    image = boxPass(image, heightPx, widthPx * 3, widthPx, 3, radius);
    image = boxPass(image, widthPx, 3, heightPx, widthPx * 3, radius);
  }
  return image;
}

/** A running mean over `count` steps of `step` bytes along each of `lines` lines, for each of three channels. */
function boxPass(
  image: Uint8Array,
  lines: number,
  lineStep: number,
  count: number,
  step: number,
  radius: number,
): Uint8Array {
  const out = new Uint8Array(image.length);
  const size = 2 * radius + 1;
  for (let line = 0; line < lines; line++) {
    for (let channel = 0; channel < 3; channel++) {
      const start = line * lineStep + channel;
      const clamped = (index: number): number => image[start + Math.min(count - 1, Math.max(0, index)) * step] ?? 0;
      let sum = 0;
      for (let index = -radius; index <= radius; index++) sum += clamped(index);
      for (let index = 0; index < count; index++) {
        out[start + index * step] = (sum + radius) / size;
        sum += clamped(index + radius + 1) - clamped(index - radius);
      }
    }
  }
  return out;
}

/** Multiplies a rectangle by the ink of the pens that cross it, in place. */
export function paintPens(
  scene: Scene,
  rgb: Uint8Array,
  x0Px: number,
  y0Px: number,
  widthPx: number,
  heightPx: number,
): void {
  const { mppUm, noise } = scene;
  for (const pen of scene.layout.pens) {
    if (!touchesPen(pen, x0Px * mppUm, y0Px * mppUm, (x0Px + widthPx) * mppUm, (y0Px + heightPx) * mppUm)) continue;
    const centre = strokeDistance(pen, (x0Px + widthPx / 2) * mppUm, (y0Px + heightPx / 2) * mppUm);
    if (centre > (Math.hypot(widthPx, heightPx) / 2) * mppUm + 0.62 * pen.widthUm + 8) continue;
    for (let y = 0, at = 0; y < heightPx; y++) {
      const yUm = (y0Px + y) * mppUm;
      for (let x = 0; x < widthPx; x++, at += 3) {
        const xUm = (x0Px + x) * mppUm;
        const half = pen.widthUm / 2;
        const ragged = (valueNoise(noise, xUm / 60, yUm / 60) - 0.5) * 0.22 * pen.widthUm;
        const inside = half - strokeDistance(pen, xUm, yUm) + ragged;
        if (inside <= -8) continue;
        const streak = valueNoise(noise, (xUm + yUm) / 14, (xUm - yUm) / 160);
        const pooled = 1 - 0.35 * smoothStep(0, half, inside);
        const ink = smoothStep(-8, 10, inside) * Math.min(1, (0.55 + 0.5 * streak) * (0.75 + 0.45 * pooled));
        for (let channel = 0; channel < 3; channel++) {
          const light = rgb[at + channel] ?? 0;
          rgb[at + channel] = light * (1 - ink * (1 - (pen.transmission[channel] ?? 1))) + 0.5;
        }
      }
    }
  }
}

export function touchesPen(pen: PenStroke, leftUm: number, topUm: number, rightUm: number, bottomUm: number): boolean {
  const reach = pen.widthUm;
  const xs = pen.points.map(([x]) => x);
  const ys = pen.points.map(([, y]) => y);
  return (
    Math.min(...xs) - reach < rightUm &&
    Math.max(...xs) + reach > leftUm &&
    Math.min(...ys) - reach < bottomUm &&
    Math.max(...ys) + reach > topUm
  );
}

function strokeDistance({ points }: PenStroke, xUm: number, yUm: number): number {
  let nearest = Number.POSITIVE_INFINITY;
  let [ax, ay] = points[0] ?? [0, 0];
  for (let index = 1; index < points.length; index++) {
    const end = points[index];
    if (!end) break;
    const [bx, by] = end;
    const dx = bx - ax;
    const dy = by - ay;
    const along = Math.min(1, Math.max(0, ((xUm - ax) * dx + (yUm - ay) * dy) / (dx * dx + dy * dy)));
    const px = xUm - ax - along * dx;
    const py = yUm - ay - along * dy;
    nearest = Math.min(nearest, px * px + py * py);
    ax = bx;
    ay = by;
  }
  return Math.sqrt(nearest);
}
