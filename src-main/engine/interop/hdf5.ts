import type { Dataset, Group } from 'h5wasm/node';
import { AppError } from '../../../src-shared/errors.ts';
import type { Bag, PatchFacts, TileCorners } from './bag.ts';
import {
  type AttributeValue,
  attributesOf,
  datasetOf,
  readFloats,
  readHdf5,
  readIntegers,
  shapeOf,
  writeAttributes,
  writeHdf5,
  writeMatrix,
} from './hdf5-file.ts';

/** Names the slide and the place inside the exported folder; no path of this machine goes into a file. */
export interface LayoutNames {
  /** The slide's name without extension. */
  readonly slideName: string;
  /** Folder of the file, relative to the export. */
  readonly folder: string;
}

/** Which layout a file was recognised as; `unknown` = coordinates without attributes that say it. */
export type PatchLayout = 'trident' | 'clam' | 'unknown';

/** Corners and what the file says of its patches. */
export interface ImportedPatches {
  readonly layout: PatchLayout;
  readonly corners: TileCorners;
  /** Side of a patch in level-0 pixels; null where the file does not tell (CLAM's feature files). */
  readonly patchSizeLevel0Px: number | null;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

export interface ImportedBag extends Bag, ImportedPatches {
  /** The encoder the file names, or null. */
  readonly encoder: string | null;
}

function tridentAttributes(facts: PatchFacts, names: LayoutNames): Readonly<Record<string, AttributeValue>> {
  return {
    patch_size: facts.patchSizePx,
    patch_size_level0: facts.patchSizeLevel0Px,
    level0_magnification: facts.level0Magnification,
    target_magnification: facts.targetMagnification,
    overlap: facts.overlapPx,
    name: names.slideName,
    savetodir: names.folder,
    level0_width: facts.level0WidthPx,
    level0_height: facts.level0HeightPx,
  };
}

/** TRIDENT's folder of one patching, `20x_256px_0px_overlap`. */
export function tridentFolderOf(facts: PatchFacts): string {
  return `${facts.targetMagnification}x_${facts.patchSizePx}px_${facts.overlapPx}px_overlap`;
}

function interleave<T extends BigInt64Array | Int32Array>(
  corners: TileCorners,
  into: T,
  set: (value: number, i: number) => void,
): T {
  for (let tile = 0; tile < corners.x0Px.length; tile++) {
    set(corners.x0Px[tile] ?? 0, 2 * tile);
    set(corners.y0Px[tile] ?? 0, 2 * tile + 1);
  }
  return into;
}

function int64Corners(corners: TileCorners): BigInt64Array {
  const values = new BigInt64Array(2 * corners.x0Px.length);
  return interleave(corners, values, (value, i) => {
    values[i] = BigInt(value);
  });
}

function int32Corners(corners: TileCorners): Int32Array {
  const values = new Int32Array(2 * corners.x0Px.length);
  return interleave(corners, values, (value, i) => {
    values[i] = value;
  });
}

/**
 * TRIDENT's `patches/SLIDE_patches.h5`: `coords` int64 (N, 2), level-0 top-left corners, with its attributes
 * (trident/IO.py, coords_to_h5). `patch_size_level0` is the true size, not the nominal magnification's.
 * @throws AppError FileUnreadable, DiskFull
 */
export function writeTridentPatches(
  path: string,
  corners: TileCorners,
  facts: PatchFacts,
  names: LayoutNames,
): Promise<void> {
  return writeHdf5(path, (file) => {
    writeAttributes(writeMatrix(file, 'coords', int64Corners(corners), 2), tridentAttributes(facts, names));
  });
}

/**
 * TRIDENT's `features_ENCODER/SLIDE.h5`: `features` float32 (N, D) with name, savetodir and encoder; `coords` with the
 * attributes of the patches (trident/wsi_objects/WSI.py, extract_patch_features).
 * @throws AppError FileUnreadable, DiskFull
 */
export function writeTridentFeatures(
  path: string,
  bag: Bag,
  facts: PatchFacts,
  encoder: string,
  names: LayoutNames,
): Promise<void> {
  return writeHdf5(path, (file) => {
    const features = writeMatrix(file, 'features', bag.features, bag.dim);
    writeAttributes(features, { name: names.slideName, savetodir: names.folder, encoder });
    writeAttributes(writeMatrix(file, 'coords', int64Corners(bag.corners), 2), tridentAttributes(facts, names));
  });
}

/**
 * CLAM's `patches/SLIDE.h5`. Its patches are cut from a stored level; ours are resampled from level 0, so level 0 it is:
 * patch_level 0, downsample 1, patch_size in level-0 pixels (wsi_core/WholeSlideImage.py, process_contour).
 * @throws AppError FileUnreadable, DiskFull
 */
export function writeClamPatches(
  path: string,
  corners: TileCorners,
  facts: PatchFacts,
  names: LayoutNames,
): Promise<void> {
  const size = [facts.level0WidthPx, facts.level0HeightPx];
  return writeHdf5(path, (file) => {
    const coords = writeMatrix(file, 'coords', int64Corners(corners), 2);
    writeAttributes(coords, {
      patch_size: facts.patchSizeLevel0Px,
      patch_level: 0,
      downsampled_level_dim: size,
      level_dim: size,
      name: names.slideName,
      save_path: names.folder,
    });
    coords.create_attribute('downsample', Float64Array.of(1, 1), [2], '<d');
  });
}

/** CLAM's `h5_files/SLIDE.h5`: `features` float32, `coords` int32, no attributes. @throws AppError FileUnreadable, DiskFull */
export function writeClamFeatures(path: string, bag: Bag): Promise<void> {
  return writeHdf5(path, (file) => {
    writeMatrix(file, 'features', bag.features, bag.dim);
    writeMatrix(file, 'coords', int32Corners(bag.corners), 2);
  });
}

function numberOf(value: AttributeValue | undefined): number | null {
  const first = typeof value === 'object' ? value[0] : value;
  return typeof first === 'number' && Number.isFinite(first) ? first : null;
}

/** The layout by the keys only it has; CLAM's patch size is at its level, so it is scaled to level 0. */
function sniff(attributes: ImportedPatches['attributes']): Pick<ImportedPatches, 'layout' | 'patchSizeLevel0Px'> {
  const level0 = numberOf(attributes.patch_size_level0);
  if (level0 !== null) return { layout: 'trident', patchSizeLevel0Px: level0 };
  const size = numberOf(attributes.patch_size);
  if (size === null || attributes.patch_level === undefined) return { layout: 'unknown', patchSizeLevel0Px: null };
  const downsample = numberOf(attributes.downsample) ?? (numberOf(attributes.patch_level) === 0 ? 1 : null);
  return { layout: 'clam', patchSizeLevel0Px: downsample === null ? null : Math.round(size * downsample) };
}

function patchesIn(file: Group): ImportedPatches {
  const coords = datasetOf(file, 'coords');
  if (coords === null) throw lacking('coords');
  const [rows, columns] = shapeOf(coords);
  if (rows > 0 && columns !== 2) throw misshapen(coords);
  const values = readIntegers(coords);
  const attributes = attributesOf(coords);
  return {
    ...sniff(attributes),
    attributes,
    corners: {
      x0Px: Float64Array.from({ length: rows }, (_, i) => values[2 * i] ?? 0),
      y0Px: Float64Array.from({ length: rows }, (_, i) => values[2 * i + 1] ?? 0),
    },
  };
}

function lacking(name: string): AppError {
  return new AppError('FileUnreadable', `The HDF5 file holds no "${name}".`, {
    advice: 'Hyaline reads the feature and patch files of TRIDENT and CLAM.',
  });
}

function misshapen(dataset: Dataset): AppError {
  return new AppError('FileUnreadable', `"${dataset.path}" does not have the shape of a bag of tiles.`, {
    advice: 'Hyaline reads the feature and patch files of TRIDENT and CLAM.',
    detail: JSON.stringify(dataset.shape),
  });
}

/** Reads a patch file of TRIDENT or CLAM. @throws AppError FileUnreadable */
export function readPatches(path: string): Promise<ImportedPatches> {
  return readHdf5(path, patchesIn);
}

/**
 * Reads a feature file of TRIDENT or CLAM: `features` (N, D) of 16, 32 or 64 bit, `coords` (N, 2). An empty slide,
 * (0, D) or (0,), gives a bag of no tiles.
 * @throws AppError FileUnreadable
 */
export function readBag(path: string): Promise<ImportedBag> {
  return readHdf5(path, (file) => {
    const features = datasetOf(file, 'features');
    if (features === null) throw lacking('features');
    const [tileCount, dim] = shapeOf(features);
    if (tileCount > 0 && features.shape?.length !== 2) throw misshapen(features);
    const patches = patchesIn(file);
    if (patches.corners.x0Px.length !== tileCount) throw misshapen(features);
    const { encoder } = attributesOf(features);
    return {
      ...patches,
      features: readFloats(features),
      tileCount,
      dim: features.shape?.length === 2 ? dim : 0,
      encoder: typeof encoder === 'string' ? encoder : null,
    };
  });
}

/** Shape of a feature file and the encoder it names, its numbers left unread. @throws AppError FileUnreadable */
export function readBagShape(
  path: string,
): Promise<{ readonly tiles: number; readonly dim: number; readonly encoder: string | null }> {
  return readHdf5(path, (file) => {
    const features = datasetOf(file, 'features');
    if (features === null) throw lacking('features');
    const [tiles, dim] = shapeOf(features);
    if (tiles > 0 && features.shape?.length !== 2) throw misshapen(features);
    const { encoder } = attributesOf(features);
    return { tiles, dim, encoder: typeof encoder === 'string' ? encoder : null };
  });
}
