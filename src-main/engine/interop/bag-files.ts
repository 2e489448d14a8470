import { join, posix } from 'node:path';
import type { Run } from '../../../src-shared/model/run.ts';
import type { SlideInfo } from '../../../src-shared/model/slide.ts';
import { type LaidGrid, tileRef } from '../grid/laid-grid.ts';
import { type Bag, cornersOf, patchFactsOf } from './bag.ts';
import { csvLine } from './csv.ts';
import {
  tridentFolderOf,
  writeClamFeatures,
  writeClamPatches,
  writeTridentFeatures,
  writeTridentPatches,
} from './hdf5.ts';
import { writePieces } from './write-pieces.ts';

export const BAG_FORMATS = ['trident', 'clam', 'csv'] as const;
export type BagFormat = (typeof BAG_FORMATS)[number];

/** A finished run with everything its files tell. */
export interface BagExport {
  readonly run: Run;
  readonly laid: LaidGrid;
  readonly info: SlideInfo;
  /** Name of the files: the slide's name without extension. */
  readonly slideName: string;
  /** tiles x featureDim, row-major. */
  readonly features: Float32Array;
}

/** A text as part of a file name: what file systems refuse becomes `_`. */
export function fileSafe(name: string): string {
  const safe = [...name].map((char) => (char < ' ' || '<>:"/\\|?*'.includes(char) ? '_' : char)).join('');
  return safe.replace(/^[. ]+|[. ]+$/g, '') || '_';
}

/**
 * The name of a run's encoder in files: `resnet18@layer3`, and what else sets its features apart, as `+macenko-1f2e3d4c`,
 * `+input-1f2e3d4c` (the card's input was changed) and `+float16`.
 */
export function encoderNameOf({ backboneName, cut, provenance: { normalisation, precision } }: Run): string {
  const parts = normalisation.split('+').filter((part) => part !== 'none');
  const apart = parts.map((part) => `+${part.replace(':', '-')}`).join('');
  return fileSafe(`${backboneName}@${cut}${apart}${precision === 'float32' ? '' : `+${precision}`}`);
}

/**
 * Writes the features and coordinates of a run into `folder` in the layout of another tool, beside what it holds:
 * - `trident`: `20x_224px_0px_overlap/patches/SLIDE_patches.h5`, `…/features_ENCODER/SLIDE.h5`
 * - `clam`: `patches/SLIDE.h5`, `features_ENCODER/h5_files/SLIDE.h5`
 * - `csv`: `SLIDE.ENCODER.csv` with a row a tile: index, column, row, corner and size in level-0 pixels, features
 *
 * @returns the files written, relative to `folder`, with forward slashes
 * @throws AppError FileUnreadable (the folder cannot be written), DiskFull
 */
export async function exportBag(folder: string, format: BagFormat, data: BagExport): Promise<readonly string[]> {
  const { run, laid, info, features } = data;
  const { featureDim: dim, mppUm } = run.provenance;
  const bag: Bag = { features, tileCount: features.length / dim, dim, corners: cornersOf(laid) };
  const facts = patchFactsOf(laid.grid, info, mppUm);
  const slideName = fileSafe(data.slideName);
  const encoder = encoderNameOf(run);
  const place = (...parts: readonly string[]): string => join(folder, ...parts);
  if (format === 'csv') {
    const file = `${slideName}.${encoder}.csv`;
    await writePieces(place(file), csvRows(laid, bag));
    return [file];
  }
  if (format === 'clam') {
    const [patches, featureFolder] = ['patches', `features_${encoder}/h5_files`];
    const file = `${slideName}.h5`;
    await writeClamPatches(place(patches, file), bag.corners, facts, { slideName, folder: patches });
    await writeClamFeatures(place(featureFolder, file), bag);
    return [posix.join(patches, file), posix.join(featureFolder, file)];
  }
  const patches = `${tridentFolderOf(facts)}/patches`;
  const featureFolder = `${tridentFolderOf(facts)}/features_${encoder}`;
  const [patchFile, featureFile] = [`${slideName}_patches.h5`, `${slideName}.h5`];
  await writeTridentPatches(place(patches, patchFile), bag.corners, facts, { slideName, folder: patches });
  const names = { slideName, folder: featureFolder };
  await writeTridentFeatures(place(featureFolder, featureFile), bag, facts, encoder, names);
  return [posix.join(patches, patchFile), posix.join(featureFolder, featureFile)];
}

function* csvRows(laid: LaidGrid, { features, tileCount, dim }: Bag): Generator<string> {
  const names = Array.from({ length: dim }, (_, i) => `f${i}`);
  yield `${csvLine(['tile', 'column', 'row', 'x0_px', 'y0_px', 'size_level0_px', ...names])}\n`;
  for (let tile = 0; tile < tileCount; tile++) {
    const { index, column, row, x0Px, y0Px, sizeLevel0Px } = tileRef(laid, tile);
    const values = Array.from(features.subarray(tile * dim, (tile + 1) * dim), shortest);
    yield `${csvLine([index, column, row, x0Px, y0Px, sizeLevel0Px, ...values])}\n`;
  }
}

/** The shortest decimal that reads back as the same float32 (nine digits always do, IEEE 754). */
function shortest(value: number): string {
  for (const digits of [6, 7, 8]) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === value) return String(Number(text));
  }
  return String(Number(value.toPrecision(9)));
}
