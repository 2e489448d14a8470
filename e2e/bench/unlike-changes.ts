import sharp, { type Sharp } from 'sharp';
import { macenkoTransform } from '../../src-main/engine/extract/stain/macenko.ts';
import { reinhardTransform } from '../../src-main/engine/extract/stain/reinhard.ts';
import { fitStain } from '../../src-main/engine/extract/stain/stain.ts';
import type { RgbImage } from '../../src-main/engine/slide/slide-source.ts';
import type { MacenkoFit, ReinhardFit } from '../../src-shared/model/stain.ts';

/** What another scanner or laboratory may do to all images of a slide. */
export interface SlideChange {
  readonly name: string;
  apply(images: readonly RgbImage[]): Promise<readonly RgbImage[]>;
}

/** Two stains fitted to images of a data set, one by each method. */
export interface SetStain {
  readonly name: string;
  readonly macenko: MacenkoFit;
  readonly reinhard: ReinhardFit;
}

/** Optical density of haematoxylin and eosin in red, green and blue (Ruifrok and Johnston 2001). */
const HAEMATOXYLIN = [0.65, 0.7, 0.29] as const;
const EOSIN = [0.07, 0.99, 0.11] as const;
/** Times haematoxylin, times eosin. */
const GAINS = [
  [1.2, 1.2],
  [0.8, 0.8],
  [1.4, 1.4],
  [0.6, 0.6],
  [1.2, 1],
  [0.8, 1],
  [1, 1.2],
  [1, 0.8],
  [1.2, 0.8],
  [0.8, 1.2],
  [1.4, 0.6],
  [0.6, 1.4],
] as const;

/** All changes for slides of a data set: optics and compression, then scanner colours, then stain. */
export function slideChanges(own: SetStain, others: readonly SetStain[]): readonly SlideChange[] {
  return [
    ...[1, 2, 3].map((sigma) => eachImage(`blur ${sigma} px`, (image) => pixelsOf(pipe(image).blur(sigma)))),
    eachImage('JPEG 30', async (image) => pixelsOf(sharp(await pipe(image).jpeg({ quality: 30 }).toBuffer()))),
    ...[0.8, 1.2].map((gamma) => eachValue(`gamma ${gamma}`, (value) => 255 * (value / 255) ** gamma)),
    ...[-10, 10].map((hue) =>
      eachImage(`hue ${signed(hue)}°`, (image) => pixelsOf(pipe(image).modulate({ hue: (hue + 360) % 360 }))),
    ),
    ...others.map((other) => ({
      name: `Reinhard to ${other.name}`,
      apply: async (images: readonly RgbImage[]) => {
        const fit = fitStain('reinhard', pooled(images));
        return fit?.method === 'reinhard' ? repainted(images, reinhardTransform(fit, other.reinhard)) : images;
      },
    })),
    ...others.map((other) => ({
      name: `Macenko to ${other.name}`,
      apply: (images: readonly RgbImage[]) =>
        Promise.resolve(repainted(images, macenkoTransform(own.macenko, other.macenko))),
    })),
    ...others.map((other) => ({
      name: `stains of ${other.name}`,
      apply: (images: readonly RgbImage[]) =>
        Promise.resolve(repainted(images, otherStains(own.macenko, other.macenko))),
    })),
    ...GAINS.map(([h, e]) => ({
      name: `H ${percent(h)}, E ${percent(e)}`,
      apply: (images: readonly RgbImage[]) => Promise.resolve(repainted(images, stainGains(h, e))),
    })),
  ];
}

export function setStain(name: string, images: readonly RgbImage[]): SetStain {
  const rgb = pooled(images);
  const [macenko, reinhard] = [fitStain('macenko', rgb), fitStain('reinhard', rgb)];
  if (macenko?.method !== 'macenko' || reinhard?.method !== 'reinhard') throw new Error(`${name} is not stained`);
  return { name, macenko, reinhard };
}

const signed = (value: number): string => (value > 0 ? `+${value}` : `${value}`);
const percent = (gain: number): string => (gain === 1 ? '±0' : `${signed(Math.round(100 * (gain - 1)))} %`);

/** Other amounts of haematoxylin and eosin. */
function stainGains(h: number, e: number): (rgb: Uint8Array) => void {
  const from = [unit(HAEMATOXYLIN), unit(EOSIN)] as const;
  return stained(from, [from[0].map((share) => h * share), from[1].map((share) => e * share)]);
}

/** Another laboratory's stains in its usual strength, by Macenko's fit; unlike his method it leaves what neither stain explains. */
function otherStains(own: MacenkoFit, other: MacenkoFit): (rgb: Uint8Array) => void {
  const to = (stain: 0 | 1): number[] => {
    const strength = other.maxConcentrations[stain] / own.maxConcentrations[stain];
    return other.stains[stain].map((share) => strength * share);
  };
  return stained(own.stains, [to(0), to(1)]);
}

type TwoStains = readonly [readonly number[], readonly number[]];

/**
 * Two stains of each pixel, by least squares, in the colours of two others; the rest of its density stays. One 3 x 3
 * matrix on optical densities.
 */
function stained([a, b]: TwoStains, to: TwoStains): (rgb: Uint8Array) => void {
  const [aa, ab, bb] = [dot(a, a), dot(a, b), dot(b, b)];
  const amountOf = (axis: readonly number[], own: number, other: readonly number[]): number[] =>
    axis.map((value, c) => (own * value - ab * (other[c] ?? 0)) / (aa * bb - ab * ab));
  const [ofA, ofB] = [amountOf(a, bb, b), amountOf(b, aa, a)];
  const matrix = Float64Array.from({ length: 9 }, (_, i) => {
    const [row, column] = [Math.floor(i / 3), i % 3];
    const changeOfA = ((to[0][row] ?? 0) - (a[row] ?? 0)) * (ofA[column] ?? 0);
    const changeOfB = ((to[1][row] ?? 0) - (b[row] ?? 0)) * (ofB[column] ?? 0);
    return Number(row === column) + changeOfA + changeOfB;
  });
  const density = Float64Array.from({ length: 256 }, (_, value) => -Math.log((value + 1) / 256));
  return (rgb) => {
    for (let at = 0; at < rgb.length; at += 3) {
      const red = density[rgb[at] as number] as number;
      const green = density[rgb[at + 1] as number] as number;
      const blue = density[rgb[at + 2] as number] as number;
      for (let c = 0, row = 0; c < 3; c++, row += 3) {
        const sum = (matrix[row] as number) * red + (matrix[row + 1] as number) * green;
        const value = 256 * Math.exp(-sum - (matrix[row + 2] as number) * blue) - 1;
        rgb[at + c] = Math.min(255, Math.max(0, Math.round(value)));
      }
    }
  };
}

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, v, i) => sum + v * (b[i] ?? 0), 0);
const unit = (v: readonly number[]): number[] => v.map((x) => x / Math.sqrt(dot(v, v)));

const repainted = (images: readonly RgbImage[], paint: (rgb: Uint8Array) => void): readonly RgbImage[] =>
  images.map((image) => {
    // `slice` of a Buffer would be the same bytes.
    const data = Uint8Array.from(image.data);
    paint(data);
    return { ...image, data };
  });

const eachValue = (name: string, change: (value: number) => number): SlideChange => {
  const table = Uint8Array.from({ length: 256 }, (_, value) => Math.round(change(value)));
  return eachImage(name, (image) => Promise.resolve(image.data.map((value) => table[value] ?? 0)));
};

const eachImage = (name: string, change: (image: RgbImage) => Promise<Uint8Array>): SlideChange => ({
  name,
  apply: (images) => Promise.all(images.map(async (image) => ({ ...image, data: await change(image) }))),
});

/** All pixels of the images, every seventh where there are many: a fit needs no more. */
function pooled(images: readonly RgbImage[]): Uint8Array {
  const pixels = images.reduce((sum, { data }) => sum + data.length / 3, 0);
  const step = pixels > 300_000 ? 7 : 1;
  const rgb: number[] = [];
  for (const { data } of images) {
    for (let at = 0; at < data.length; at += 3 * step) rgb.push(data[at] ?? 0, data[at + 1] ?? 0, data[at + 2] ?? 0);
  }
  return Uint8Array.from(rgb);
}

export function pipe({ data, widthPx, heightPx }: RgbImage): Sharp {
  return sharp(data, { raw: { width: widthPx, height: heightPx, channels: 3 } });
}

export const pixelsOf = async (image: Sharp): Promise<Uint8Array> =>
  image.removeAlpha().toColourspace('srgb').raw().toBuffer();
