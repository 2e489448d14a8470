import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve, sep } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { AppError } from '../../../src-shared/errors.ts';
import type { FeatureFile, FeatureFolder, FeatureSet } from '../../../src-shared/model/feature-bag.ts';
import { withFile } from '../backbone/checkpoint/byte-source.ts';
import type { Checkpoint, CheckpointTensor } from '../backbone/checkpoint/tensor.ts';
import { readTorchFile } from '../backbone/checkpoint/torch.ts';
import { type ImportedBag, type ImportedPatches, readBag, readBagShape, readPatches } from './hdf5.ts';

/** Folders of CLAM that hold one file a slide; the set is named by what they lie in. */
const INNER = ['h5_files', 'pt_files'];
/** Where a slide's file is looked for: HDF5 first, because it knows where its tiles lie. */
const PREFERRED = [
  ['', '.h5'],
  ['h5_files', '.h5'],
  ['', '.pt'],
  ['pt_files', '.pt'],
] as const;
/** Holds corners and no features, under both tools. */
const PATCHES = 'patches';
/** TRIDENT's features of whole slides: one row each, not bags. */
const SLIDE_LEVEL = /^slide_features/;

/** A feature file and where the corners of its tiles lie that it does not tell itself. */
export interface BagFile {
  readonly path: string;
  /** File with its corners and tile size; null = none was found. */
  readonly patches: string | null;
}

/**
 * The feature files below a folder, set by set: a plain folder of `SLIDE.h5` or `SLIDE.pt`, CLAM's
 * `FEATURES/h5_files/SLIDE.h5` (or `pt_files`), TRIDENT's `20x_256px_0px_overlap/features_ENCODER/SLIDE.h5`.
 * Only shapes are read. A single file is a set of one.
 * @throws AppError NotFound where there are none, FileUnreadable
 */
export async function readFeatureFolder(folder: string): Promise<FeatureFolder> {
  const refused: FeatureFolder['refused'][number][] = [];
  const sets: FeatureSet[] = [];
  for (const [place, paths] of await filesBySet(folder)) {
    const files: FeatureFile[] = [];
    let encoder: string | null = null;
    for (const [name, path] of paths) {
      try {
        const { tiles, dim, encoder: own } = extname(path) === '.pt' ? readTensorShape(path) : await readBagShape(path);
        encoder ??= own;
        if (own !== null && own !== encoder) throw new Error(`made by ${own}, others by ${encoder}`);
        files.push({ name, tiles, dim });
      } catch (error) {
        refused.push({ name: basename(path), reason: error instanceof Error ? error.message : String(error) });
      }
      // Thousands of headers: whoever else waits for this thread gets a turn.
      await nextTurn();
    }
    if (files.length === 0) continue;
    const [first = ''] = paths.values();
    sets.push({ place, encoder: encoder ?? folderName(dirname(first)), named: encoder !== null, files });
  }
  if (sets.length > 0) {
    return { name: basename(folder), sets: sets.sort((a, b) => b.files.length - a.files.length), refused };
  }
  const [first] = refused;
  throw new AppError(
    'NotFound',
    first ? 'These feature files cannot be read.' : 'This folder holds no feature files.',
    {
      advice: 'Choose the folder that holds SLIDE.h5 (features and coords) of TRIDENT or CLAM, or SLIDE.pt.',
      ...(first && { detail: refused.map(({ name, reason }) => `${name}: ${reason}`).join('\n') }),
    },
  );
}

/** The file of one slide in a set, as `readFeatureFolder` named it. @throws AppError NotFound, NotAllowed */
export async function findBagFile(folder: string, place: string, name: string): Promise<BagFile> {
  const root = resolve(folder);
  if (slideNameOf(root) === name && (await isFile(root))) return { path: root, patches: await patchesOf(root, name) };
  for (const [inner, ending] of PREFERRED) {
    const path = resolve(root, place, inner, `${name}${ending}`);
    if (!path.startsWith(`${root}${sep}`)) {
      throw new AppError('NotAllowed', 'This file does not lie in the folder that was chosen.');
    }
    if (await isFile(path)) return { path, patches: await patchesOf(path, name) };
  }
  throw new AppError('NotFound', `There are no features of ${name} in the folder any more.`);
}

/** Reads a feature file; one without corners (`.pt`) has none: `corners` are empty. @throws AppError FileUnreadable */
export async function readAnyBag(path: string): Promise<ImportedBag> {
  return extname(path) === '.pt' ? await readTensorBag(path) : await readBag(path);
}

/** Corners and tile size from a patch file that fits; null = none. */
export async function readPatchesOf({ patches }: BagFile): Promise<ImportedPatches | null> {
  return patches === null ? null : await readPatches(patches).catch(() => null);
}

/** A tensor of tiles x features as `torch.save` writes it (CLAM's pt_files). */
async function readTensorBag(path: string): Promise<ImportedBag> {
  const tensor = onlyTensor(path, readTorchFile(await readFile(path)));
  const [tileCount = 0, dim = 0] = tensor.dims;
  return {
    ...{ layout: 'unknown', patchSizeLevel0Px: null, attributes: {}, encoder: null },
    corners: { x0Px: new Float64Array(0), y0Px: new Float64Array(0) },
    ...{ features: tensor.read(), tileCount, dim },
  };
}

/** Its shape, its values left where they are. @throws AppError FileUnreadable, BackboneUnreadable */
function readTensorShape(path: string): { tiles: number; dim: number; encoder: null } {
  const [tiles = 0, dim = 0] = withFile(path, (source) => onlyTensor(path, readTorchFile(source)).dims);
  return { tiles, dim, encoder: null };
}

function onlyTensor(path: string, tensors: Checkpoint): CheckpointTensor {
  const [tensor] = tensors.values();
  if (tensor === undefined || tensors.size !== 1 || tensor.dims.length !== 2 || tensor.type === 'int64') {
    throw new AppError('FileUnreadable', `${basename(path)} is not one tensor of tiles x features.`, {
      advice: 'Hyaline reads the pt_files of CLAM, or HDF5.',
      detail: [...tensors].map(([key, { dims }]) => `${key} ${dims.join(' x ')}`).join(', '),
    });
  }
  return tensor;
}

const isFile = async (path: string): Promise<boolean> => (await stat(path).catch(() => null))?.isFile() ?? false;

/** The slide a feature file is named after; null for another kind of file. */
function slideNameOf(path: string): string | null {
  const ending = extname(path);
  return ending === '.h5' || ending === '.pt' ? basename(path, ending) : null;
}

/** CLAM's `features_ENCODER` is named by what lies above `h5_files`. */
const folderName = (path: string): string => basename(INNER.includes(basename(path)) ? dirname(path) : path);

/** Paths by slide name, by set; HDF5 is preferred to `.pt` because it knows where its tiles lie. */
async function filesBySet(folder: string): Promise<Map<string, Map<string, string>>> {
  const own = slideNameOf(folder);
  if (own !== null && (await isFile(folder))) return new Map([['.', new Map([[own, folder]])]]);
  const found = await readdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw new AppError('FileUnreadable', 'This folder cannot be read.', {
      advice: 'Check that it is still there and that you may read it.',
      cause,
    });
  });
  const sets = new Map<string, Map<string, string>>();
  for (const file of found.sort()) {
    const name = slideNameOf(file);
    const parts = file.split(sep).slice(0, -1);
    if (name === null) continue;
    if (parts.some((part) => part === PATCHES || SLIDE_LEVEL.test(part))) continue;
    const place = (INNER.includes(parts.at(-1) ?? '') ? parts.slice(0, -1) : parts).join('/') || '.';
    const set = sets.get(place) ?? new Map<string, string>();
    sets.set(place, set);
    if (extname(file) === '.h5' || !set.has(name)) set.set(name, resolve(folder, file));
  }
  return sets;
}

/** CLAM keeps `patches/SLIDE.h5` beside its features, TRIDENT `patches/SLIDE_patches.h5`. */
async function patchesOf(path: string, name: string): Promise<string | null> {
  let place = dirname(path);
  for (let up = 0; up < 3; up++, place = dirname(place)) {
    for (const file of [`${name}.h5`, `${name}_patches.h5`]) {
      const candidate = join(place, PATCHES, file);
      if (await isFile(candidate)) return candidate;
    }
  }
  return null;
}
