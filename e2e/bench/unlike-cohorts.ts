import { readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { openSlideSource } from '../../src-main/engine/slide/open-slide.ts';
import type { RgbImage } from '../../src-main/engine/slide/slide-source.ts';
import { measureAppearance } from '../../src-main/engine/tissue/slide-appearance.ts';
import { FIELD_PX } from '../../src-main/engine/tissue/tissue-fields.ts';
import { computeTissueMask } from '../../src-main/engine/tissue/tissue-mask.ts';
import { DEFAULT_TISSUE } from '../../src-shared/model/run.ts';
import { pixelsOf } from './unlike-changes.ts';

/** A slide made of images of a data set. */
export interface PatchSlide {
  readonly paths: readonly string[];
  /** Slides of one patient, where patients are known. */
  readonly patient: string;
}

export interface Cohort {
  readonly name: string;
  readonly says: string;
  readonly slides: readonly PatchSlide[];
}

const MPP_UM = 0.5;
const GLASS = 243;

/**
 * Cohorts of public data sets. Images of one field are one slide where the set holds fields; else images that follow one
 * another in their numbers make a slide, which keeps something of what slides differ in, as shuffling would not.
 */
export function readCohorts(patches: string): readonly Cohort[] {
  return [
    { name: 'GlaS', says: 'fields of 16 patients, one a slide', slides: fieldsOfGlas(join(patches, 'gland-glas')) },
    { name: 'colorectal', says: '5 images a slide', slides: numbered(join(patches, 'colorectal-5class'), 5, '') },
    { name: 'oral', says: '3 images a slide, 400x', slides: numbered(join(patches, 'oral-oscc'), 3, '_400x_') },
    { name: 'lung', says: '4 images a slide', slides: numbered(join(patches, 'lung-lc25000'), 4, '') },
  ];
}

function fieldsOfGlas(folder: string): readonly PatchSlide[] {
  const rows = readFileSync(join(folder, 'index.tsv'), 'utf8').split('\n').slice(1);
  return rows.flatMap((row) => {
    const [file = '', split = '', , group = ''] = row.split('\t');
    const patient = group.split('|')[0] ?? '';
    return split === 'train' || split === 'val' ? [{ paths: [join(folder, file)], patient }] : [];
  });
}

function numbered(folder: string, perSlide: number, holding: string): readonly PatchSlide[] {
  const number = (name: string): number => Number(/(\d+)\.\w+$/.exec(name)?.[1] ?? 0);
  return ['train', 'val'].flatMap((part) =>
    readdirSync(join(folder, part)).flatMap((label) => {
      const names = readdirSync(join(folder, part, label)).filter((name) => name.includes(holding));
      names.sort((a, b) => number(a) - number(b));
      return Array.from({ length: Math.floor(names.length / perSlide) }, (_, i) => ({
        paths: names.slice(i * perSlide, (i + 1) * perSlide).map((name) => join(folder, part, label, name)),
        patient: `${part} ${label} ${i}`,
      }));
    }),
  );
}

export async function readImages({ paths }: PatchSlide): Promise<readonly RgbImage[]> {
  return Promise.all(
    paths.map(async (path) => {
      const image = sharp(path);
      const { width = 0, height = 0 } = await image.metadata();
      return { widthPx: width, heightPx: height, data: await pixelsOf(image) };
    }),
  );
}

/** Squares of an image, evenly over it, at least one. */
export function squares(image: RgbImage, sidePx: number, across: number, down: number): readonly RgbImage[] {
  return Array.from({ length: across * down }, (_, i) => {
    const at = (place: number, count: number, extent: number): number =>
      count === 1 ? 0 : Math.round((place * (extent - sidePx)) / (count - 1));
    const x0 = at(i % across, across, image.widthPx);
    const y0 = at(Math.floor(i / across), down, image.heightPx);
    const data = new Uint8Array(sidePx * sidePx * 3);
    for (let y = 0; y < sidePx; y++) {
      const from = ((y0 + y) * image.widthPx + x0) * 3;
      data.set(image.data.subarray(from, from + sidePx * 3), y * sidePx * 3);
    }
    return { widthPx: sidePx, heightPx: sidePx, data };
  });
}

/**
 * What the application measures of a slide that shows these images in squares side by side with glass around.
 * @param file where the slide is written and removed again.
 */
export async function appearanceOf(images: readonly RgbImage[], file: string): Promise<Float64Array> {
  const fields = images.flatMap((image) => {
    const fits = (extentPx: number): number => Math.max(2, Math.floor(extentPx / FIELD_PX));
    return squares(
      image,
      FIELD_PX,
      ...(image.widthPx < 2 * FIELD_PX ? ([2, 1] as const) : ([fits(image.widthPx), fits(image.heightPx)] as const)),
    );
  });
  const columns = Math.ceil(Math.sqrt(fields.length));
  const width = (columns + 2) * FIELD_PX;
  const height = (Math.ceil(fields.length / columns) + 2) * FIELD_PX;
  const data = new Uint8Array(width * height * 3).fill(GLASS);
  fields.forEach((field, i) => {
    const left = (1 + (i % columns)) * FIELD_PX;
    const top = (1 + Math.floor(i / columns)) * FIELD_PX;
    for (let y = 0; y < FIELD_PX; y++) {
      data.set(field.data.subarray(y * FIELD_PX * 3, (y + 1) * FIELD_PX * 3), ((top + y) * width + left) * 3);
    }
  });
  await sharp(data, { raw: { width, height, channels: 3 } })
    .tiff({ compression: 'none' })
    .toFile(file);
  const source = await openSlideSource(file);
  try {
    const params = { ...DEFAULT_TISSUE, minTissueUm2: 0 };
    return await measureAppearance(source, await computeTissueMask(source, MPP_UM, params));
  } finally {
    await source.close();
    await rm(file);
  }
}
