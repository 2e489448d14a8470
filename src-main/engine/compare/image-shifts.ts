import sharp, { type Sharp } from 'sharp';
import { seededRandom } from '../../../src-shared/numeric/random.ts';

/** An image as the network takes it: interleaved 8-bit RGB. */
export interface RgbImage {
  readonly data: Uint8Array;
  readonly widthPx: number;
  readonly heightPx: number;
}

/** A way in which another scanner, stain or cut may change an image, at rising levels. */
export interface ImageShift {
  readonly name: string;
  readonly unit: string;
  readonly levels: readonly number[];
  /** @param seed of the image: the same for all backbones. */
  apply(image: RgbImage, level: number, seed: number): Promise<Uint8Array>;
}

export const IMAGE_SHIFTS: readonly ImageShift[] = [
  {
    name: 'HED jitter',
    unit: 'sigma',
    levels: [0.05, 0.1, 0.2],
    apply: async (image, s, seed) => hedJitter(image, s, seed),
  },
  { name: 'blur', unit: 'px', levels: [1, 2, 4], apply: (image, s) => pixelsOf(pipe(image).blur(s)) },
  { name: 'JPEG', unit: 'quality', levels: [75, 40, 15], apply: jpeg },
  { name: 'rotation', unit: 'degrees', levels: [15, 45, 90], apply: (image, degrees) => turned(image, degrees, 1) },
  { name: 'scale', unit: 'times', levels: [1.1, 1.25, 0.8], apply: (image, times) => turned(image, 0, times) },
];

/** Optical density of haematoxylin, eosin and DAB in red, green and blue (Ruifrok and Johnston 2001). */
const STAINS = [
  [0.65, 0.7, 0.29],
  [0.07, 0.99, 0.11],
  [0.27, 0.57, 0.78],
] as const;

/**
 * Each stain's amount times 1 ± sigma plus ± sigma, drawn evenly for the image, in optical density to base ten.
 * Source: Tellez et al. 2018, HED augmentation.
 */
export function hedJitter({ data }: RgbImage, sigma: number, seed: number): Uint8Array {
  const random = seededRandom(seed);
  const draw = (): number => sigma * (2 * random() - 1);
  const gains = STAINS.map(() => 1 + draw());
  const shifts = STAINS.map(() => draw());
  const toStains = inverse(STAINS);
  const density = Float64Array.from({ length: 256 }, (_, value) => -Math.log10((value + 1) / 256));
  const out = new Uint8Array(data.length);
  for (let at = 0; at < data.length; at += 3) {
    const od = [0, 1, 2].map((c) => density[data[at + c] ?? 0] ?? 0);
    const amounts = STAINS.map((_, s) => {
      const amount = od.reduce((sum, value, c) => sum + value * (toStains[c]?.[s] ?? 0), 0);
      return amount * (gains[s] ?? 1) + (shifts[s] ?? 0);
    });
    for (let c = 0; c < 3; c++) {
      const value = amounts.reduce((sum, amount, s) => sum + amount * (STAINS[s]?.[c] ?? 0), 0);
      out[at + c] = Math.min(255, Math.max(0, Math.round(256 * 10 ** -value - 1)));
    }
  }
  return out;
}

/** By the adjugate; the stains are independent. */
function inverse(m: readonly (readonly number[])[]): number[][] {
  const at = (r: number, c: number): number => m[r % 3]?.[c % 3] ?? 0;
  const cofactor = (r: number, c: number): number =>
    at(r + 1, c + 1) * at(r + 2, c + 2) - at(r + 1, c + 2) * at(r + 2, c + 1);
  const determinant = at(0, 0) * cofactor(0, 0) + at(0, 1) * cofactor(0, 1) + at(0, 2) * cofactor(0, 2);
  return [0, 1, 2].map((r) => [0, 1, 2].map((c) => cofactor(c, r) / determinant));
}

async function jpeg(image: RgbImage, quality: number): Promise<Uint8Array> {
  return pixelsOf(sharp(await pipe(image).jpeg({ quality }).toBuffer()));
}

/** Turned about its centre and magnified; what comes in at the edges mirrors what is there. */
async function turned(image: RgbImage, degrees: number, times: number): Promise<Uint8Array> {
  const { widthPx, heightPx } = image;
  const margin = Math.ceil(Math.max(widthPx, heightPx) / 4);
  const edges = { top: margin, bottom: margin, left: margin, right: margin, extendWith: 'mirror' } as const;
  const wide = { widthPx: widthPx + 2 * margin, heightPx: heightPx + 2 * margin };
  const around = { ...wide, data: await pixelsOf(pipe(image).extend(edges)) };
  const width = Math.round(wide.widthPx * times);
  const height = Math.round(wide.heightPx * times);
  const scaled = {
    data: await pixelsOf(pipe(around).resize(width, height, { fit: 'fill' })),
    widthPx: width,
    heightPx: height,
  };
  const { data, info } = await pipe(scaled).rotate(degrees).raw().toBuffer({ resolveWithObject: true });
  const left = Math.round((info.width - widthPx) / 2);
  const top = Math.round((info.height - heightPx) / 2);
  const whole = { data, widthPx: info.width, heightPx: info.height };
  return pixelsOf(pipe(whole).extract({ left, top, width: widthPx, height: heightPx }));
}

function pipe({ data, widthPx, heightPx }: RgbImage): Sharp {
  return sharp(data, { raw: { width: widthPx, height: heightPx, channels: 3 } });
}

async function pixelsOf(image: Sharp): Promise<Uint8Array> {
  return image.removeAlpha().toColourspace('srgb').raw().toBuffer();
}
