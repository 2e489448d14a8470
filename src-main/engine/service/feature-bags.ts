import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { AppError } from '../../../src-shared/errors.ts';
import { FEATURES_ONLY, type FeatureImport, type ImportedFeatures } from '../../../src-shared/model/feature-bag.ts';
import { asId, type SlideId } from '../../../src-shared/model/ids.ts';
import type { SlideInfo } from '../../../src-shared/model/slide.ts';
import { slideStem } from '../extract/slide-list.ts';
import { findBagFile, readAnyBag, readPatchesOf } from '../interop/feature-folder.ts';
import type { ImportedBag, ImportedPatches } from '../interop/hdf5.ts';
import { importBag, usualStepPx } from '../interop/import-bag.ts';
import type { SlideRecord, Store } from '../store/store.ts';
import { pixelSizeInForce } from './slide-library.ts';

/**
 * Puts the features of one file of a folder into the store: on the slide they were made of where that is known, else
 * on a slide that is known by them alone. The same file twice is one run.
 * @throws AppError NotFound, FileUnreadable; InvalidRequest: no tiles, values that are not numbers, or tiles outside the
 * named slide.
 */
export async function importFeatureBag(
  store: Store,
  folder: string,
  { place, name, slideId, encoder }: Omit<FeatureImport, 'folder'>,
): Promise<ImportedFeatures> {
  const file = await findBagFile(folder, place, name);
  const read = await readAnyBag(file.path);
  if (read.tileCount === 0) {
    throw new AppError('InvalidRequest', 'The file holds no tiles.', {
      advice: 'Extract it again, or leave the slide out.',
    });
  }
  if (!allFinite(read.features)) {
    throw new AppError('InvalidRequest', 'Its features hold values that are not numbers.', {
      advice: 'Extract them again, or leave the slide out.',
    });
  }
  const patches = await readPatchesOf(file);
  const bag = withCorners(read, patches);
  const named = slideId === null ? await slideCalled(store, name) : await store.getSlide(slideId);
  if (slideId !== null && named === null) throw new AppError('NotFound', 'This slide is not in the library.');
  // A slide found by its name alone may be another one: then its tiles lie outside, and the name was a coincidence.
  const known = named !== null && bag.placed && (slideId !== null || fits(bag, named.info)) ? named : null;
  const slide = known ?? (await slideOf(file.path, name, bag, patches));
  if (known === null && (await store.getSlide(slide.id)) === null) await store.putSlide(slide);
  const mppUm = pixelSizeInForce(slide)?.xUm ?? null;
  const run = await importBag(store, {
    ...{ slide, mppUm, bag, patches, encoder, guessTileSize: true },
  });
  return {
    ...{ slideId: slide.id, slideName: known?.name ?? name, runId: run.id, backboneId: run.backboneId, cut: run.cut },
    ...{ tiles: run.tileCount, dim: run.provenance.featureDim, hasSlide: known !== null },
  };
}

/** A loop of its own: bags hold tens of millions of values. */
function allFinite(values: Float32Array): boolean {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return false;
  return true;
}

interface PlacedBag extends ImportedBag {
  /** False where nothing tells where the tiles lie. */
  readonly placed: boolean;
}

/** A bag without corners gets those of its patch file, or is laid out in rows, for nothing but to be stored. */
function withCorners(bag: ImportedBag, patches: ImportedPatches | null): PlacedBag {
  if (bag.corners.x0Px.length === bag.tileCount) return { ...bag, placed: true };
  if (patches?.corners.x0Px.length === bag.tileCount) return { ...bag, corners: patches.corners, placed: true };
  const side = Math.ceil(Math.sqrt(bag.tileCount));
  const numbers = Float64Array.from({ length: bag.tileCount }, (_, i) => i);
  const corners = { x0Px: numbers.map((i) => i % side), y0Px: numbers.map((i) => Math.floor(i / side)) };
  return { ...bag, corners, patchSizeLevel0Px: 1, placed: false };
}

/** The one slide of the library whose file is called so, with or without its ending. */
async function slideCalled(store: Store, name: string): Promise<SlideRecord | null> {
  const found = (await store.listSlides()).filter(
    (slide) => slide.info.reader !== FEATURES_ONLY && (slide.name === name || slideStem(slide.name) === name),
  );
  return found.length === 1 ? (found[0] ?? null) : null;
}

function fits({ corners }: ImportedBag, { widthPx, heightPx }: SlideInfo): boolean {
  const within = (values: Float64Array, end: number): boolean => values.every((value) => value >= 0 && value < end);
  return within(corners.x0Px, widthPx) && within(corners.y0Px, heightPx);
}

/** A slide nobody has seen: named by its file, told from others of the name by where its tiles lie. */
async function slideOf(
  path: string,
  name: string,
  bag: PlacedBag,
  patches: ImportedPatches | null,
): Promise<SlideRecord> {
  const { corners, patchSizeLevel0Px, placed } = bag;
  const hash = createHash('sha256').update('features only\n').update(name);
  if (placed) hash.update(corners.x0Px).update(corners.y0Px);
  else hash.update(bag.features);
  const tilePx = patchSizeLevel0Px ?? patches?.patchSizeLevel0Px ?? usualStepPx(corners);
  const end = (values: Float64Array): number => values.reduce((most, value) => Math.max(most, value), 0) + tilePx;
  const told = { ...patches?.attributes, ...bag.attributes };
  const size = (value: unknown, least: number): number =>
    typeof value === 'number' && value >= least ? value : Math.ceil(least);
  const widthPx = size(told.level0_width, end(corners.x0Px));
  const heightPx = size(told.level0_height, end(corners.y0Px));
  const file = await stat(path);
  return {
    id: asId<SlideId>(hash.digest('hex')),
    // No file to open: the features are in the store, and where they came from may be gone.
    ...{ path: '', name, sizeBytes: file.size, mtimeMs: file.mtimeMs, userMppUm: null },
    info: {
      ...{ widthPx, heightPx, levels: [], mpp: null, vendor: 'not known', reader: FEATURES_ONLY },
      objective: typeof told.level0_magnification === 'number' ? told.level0_magnification : null,
      ...{ compression: 'none', associated: [], hasIccProfile: false },
      warnings: ['Only the features of this slide are known.'],
    },
    ...{ openedAtMs: Date.now(), isDemo: false },
  };
}
