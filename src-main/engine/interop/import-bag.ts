import { createHash } from 'node:crypto';
import { AppError } from '../../../src-shared/errors.ts';
import { importedName } from '../../../src-shared/model/feature-bag.ts';
import type { BackboneId, GridId } from '../../../src-shared/model/ids.ts';
import { asId } from '../../../src-shared/model/ids.ts';
import { DEFAULT_TISSUE, type Provenance, type Run } from '../../../src-shared/model/run.ts';
import { placeFreely } from '../grid/free-grid.ts';
import { type LaidGrid, originLevel0Px } from '../grid/laid-grid.ts';
import { canonicalJson } from '../store/canonical.ts';
import { newRun } from '../store/new-run.ts';
import type { SlideRecord, Store } from '../store/store.ts';
import { alignToGrid } from './bag.ts';
import type { ImportedBag, ImportedPatches } from './hdf5.ts';

export interface BagImport {
  readonly slide: SlideRecord;
  /** Pixel size in force at level 0, µm; null = not known: lengths are then kept in level-0 pixels. */
  readonly mppUm: number | null;
  readonly bag: ImportedBag;
  /** The patch file that goes with features that do not tell their tile size (CLAM). */
  readonly patches: ImportedPatches | null;
  /** What made the features; null = what the file says. */
  readonly encoder: string | null;
  /** True: where no file tells the tile size, the step between tiles is taken for it. */
  readonly guessTileSize?: boolean;
}

/** Corners of tools that truncate where Hyaline rounds lie one pixel apart. */
const TOLERANCE_PX = 1;
const BLOCK_TILES = 256;
/** Side of a tile that has no neighbour to tell it: what most tools cut. */
const LONE_TILE_PX = 256;

/**
 * Puts features another tool computed into the store as a finished run: on a grid the slide has already where they
 * fit one, else on the grid their coordinates tell, else each tile where the file puts it. The backbone is named as the file names it, marked as imported; it
 * is never taken for one of the installed ones, because nobody can say that it is.
 *
 * @returns the run; the one that is there already where the same features were imported before
 * @throws AppError InvalidRequest: the tile size is not known, or the slide is another one;
 * DiskFull, StoreReadOnly
 */
export async function importBag(store: Store, request: BagImport): Promise<Run> {
  const { bag, slide } = request;
  if (bag.tileCount === 0) throw new AppError('InvalidRequest', 'The file holds no tiles.');
  const encoder = request.encoder ?? bag.encoder;
  if (encoder === null || encoder === '') {
    throw new AppError('InvalidRequest', 'The file does not say which encoder made its features.', {
      advice: 'Name it.',
    });
  }
  refuseOutside(bag, slide);
  const { laid, features } = (await onKnownGrid(store, request)) ?? onOwnGrid(request);
  const provenance = provenanceOf(request, encoder, laid);
  const known = await store.findRun(provenance);
  if (known?.state === 'done') return known;
  if (known !== null) await store.removeRun(known.id);
  await store.putGrid(laid);
  const run = newRun(provenance, laid);
  await store.createRun(run);
  const { dim } = bag;
  for (let firstTile = 0; firstTile < bag.tileCount; firstTile += BLOCK_TILES) {
    const tileCount = Math.min(BLOCK_TILES, bag.tileCount - firstTile);
    const values = features.subarray(firstTile * dim, (firstTile + tileCount) * dim);
    await store.appendFeatures({ runId: run.id, firstTile, tileCount, dim, values });
  }
  return await store.updateRun(run.id, { state: 'done', finishedAtMs: Date.now() });
}

function refuseOutside({ corners, tileCount }: ImportedBag, { info }: SlideRecord): void {
  for (let i = 0; i < tileCount; i++) {
    const [x, y] = [corners.x0Px[i] ?? 0, corners.y0Px[i] ?? 0];
    if (x >= 0 && y >= 0 && x < info.widthPx && y < info.heightPx) continue;
    throw new AppError('InvalidRequest', 'The features belong to another slide: some tiles lie outside this one.', {
      detail: `tile ${i} at ${x}, ${y}; the slide has ${info.widthPx} x ${info.heightPx} pixels`,
    });
  }
}

interface Placed {
  readonly laid: LaidGrid;
  readonly features: Float32Array;
}

/** A grid of the slide that has exactly these tiles. */
async function onKnownGrid(store: Store, { slide, bag, patches }: BagImport): Promise<Placed | null> {
  const size = bag.patchSizeLevel0Px ?? patches?.patchSizeLevel0Px ?? null;
  const ids = new Set((await store.listRuns(slide.id)).map(({ provenance }) => provenance.gridId));
  for (const id of ids) {
    const laid = await store.getGrid(id);
    if (laid === null || laid.grid.tileCount !== bag.tileCount) continue;
    if (size !== null && Math.abs(laid.grid.tileLevel0Px - size) > TOLERANCE_PX) continue;
    try {
      return { laid, features: alignToGrid(bag, laid, TOLERANCE_PX) };
    } catch {
      // Not this one.
    }
  }
  return null;
}

/** The grid the coordinates tell: multiples of one stride, else every tile where the file puts it. */
function onOwnGrid(request: BagImport): Placed {
  const { bag, patches, slide } = request;
  const mppUm = request.mppUm ?? 1;
  const told = bag.patchSizeLevel0Px ?? patches?.patchSizeLevel0Px ?? null;
  const tileLevel0Px = told ?? (request.guessTileSize === true ? usualStepPx(bag.corners) : null);
  if (tileLevel0Px === null) {
    throw new AppError('InvalidRequest', 'The file does not say how large its tiles are.', {
      advice: 'Give the patch file that goes with it.',
    });
  }
  const attributes = { ...patches?.attributes, ...bag.attributes };
  const [sizePx, overlapPx] = [attributes.patch_size, attributes.overlap];
  const scale = typeof sizePx === 'number' && sizePx > 0 && bag.layout === 'trident' ? tileLevel0Px / sizePx : 1;
  const strideLevel0Px = tileLevel0Px - (typeof overlapPx === 'number' ? overlapPx * scale : 0);
  const cells = strideLevel0Px > 0 ? cellsOf(bag, strideLevel0Px) : null;
  const common = {
    slideId: slide.id,
    spec: { mpp: mppUm * scale, tileUm: tileLevel0Px * mppUm, strideUm: strideLevel0Px * mppUm, minTissueFraction: 0 },
    tissue: DEFAULT_TISSUE,
    tileLevel0Px,
    tileCount: bag.tileCount,
    droppedCount: 0,
  };
  return cells === null ? freely(bag, common) : onLattice(bag, common, strideLevel0Px, cells);
}

/** The commonest distance between neighbours of a row (or of a column, where no row has two). */
export function usualStepPx({ x0Px, y0Px }: ImportedBag['corners']): number {
  const steps = [...stepsAlong(x0Px, y0Px), ...stepsAlong(y0Px, x0Px)];
  const counts = new Map<number, number>();
  for (const step of steps) counts.set(step, (counts.get(step) ?? 0) + 1);
  const [commonest] = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  return commonest?.[0] ?? LONE_TILE_PX;
}

function stepsAlong(along: Float64Array, across: Float64Array): number[] {
  const lines = new Map<number, number[]>();
  across.forEach((place, i) => {
    const line = lines.get(place) ?? [];
    lines.set(place, line);
    line.push(along[i] ?? 0);
  });
  return [...lines.values()].flatMap((line) => {
    const sorted = line.sort((a, b) => a - b);
    return sorted.slice(1).flatMap((place, i) => (place > (sorted[i] ?? 0) ? [place - (sorted[i] ?? 0)] : []));
  });
}

type CommonFacts = Omit<LaidGrid['grid'], 'id' | 'columns' | 'rows' | 'strideLevel0Px'>;

function onLattice(bag: ImportedBag, common: CommonFacts, strideLevel0Px: number, unordered: readonly Cell[]): Placed {
  const cells = unordered.toSorted((a, b) => a.row - b.row || a.column - b.column);
  const columns = Uint32Array.from(cells, ({ column }) => column);
  const rows = Uint32Array.from(cells, ({ row }) => row);
  const grid: LaidGrid['grid'] = {
    ...common,
    id: gridIdOf(common, strideLevel0Px, [columns, rows]),
    columns: largest(columns) + 1,
    rows: largest(rows) + 1,
    strideLevel0Px,
  };
  const laid = { grid, columns, rows };
  return { laid, features: alignToGrid(bag, laid, TOLERANCE_PX) };
}

/** Tiles off any lattice, as CLAM lays them: a grid of its own for each piece of tissue. */
function freely(bag: ImportedBag, common: CommonFacts): Placed {
  const { order, columns, rows, cornersPx, ...placed } = placeFreely(bag.corners, common.tileLevel0Px);
  const { strideLevel0Px } = placed;
  const grid: LaidGrid['grid'] = {
    ...common,
    id: gridIdOf(common, strideLevel0Px, [columns, rows, cornersPx]),
    columns: placed.columnCount,
    rows: placed.rowCount,
    strideLevel0Px,
  };
  const features = new Float32Array(bag.features.length);
  order.forEach((from, to) => {
    features.set(bag.features.subarray(from * bag.dim, (from + 1) * bag.dim), to * bag.dim);
  });
  return { laid: { grid, columns, rows, cornersPx }, features };
}

const largest = (values: Uint32Array): number => values.reduce((most, value) => Math.max(most, value), 0);

interface Cell {
  readonly column: number;
  readonly row: number;
}

/** The cell of every tile on the lattice from the corner of the slide; null where one lies off it or shares a cell. */
function cellsOf({ corners, tileCount }: ImportedBag, strideLevel0Px: number): readonly Cell[] | null {
  const cells: Cell[] = [];
  const taken = new Set<string>();
  for (let i = 0; i < tileCount; i++) {
    const [x, y] = [corners.x0Px[i] ?? 0, corners.y0Px[i] ?? 0];
    const [column, row] = [Math.round(x / strideLevel0Px), Math.round(y / strideLevel0Px)];
    const offX = Math.abs(originLevel0Px(column, strideLevel0Px) - x);
    const offY = Math.abs(originLevel0Px(row, strideLevel0Px) - y);
    if (offX > TOLERANCE_PX || offY > TOLERANCE_PX) return null;
    cells.push({ column, row });
    taken.add(`${column},${row}`);
  }
  return taken.size === tileCount ? cells : null;
}

function gridIdOf(
  { slideId, tileLevel0Px }: CommonFacts,
  strideLevel0Px: number,
  places: readonly Uint32Array[],
): GridId {
  const hash = createHash('sha256').update(canonicalJson({ imported: true, slideId, tileLevel0Px, strideLevel0Px }));
  for (const values of places) hash.update(values);
  return asId<GridId>(hash.digest('hex'));
}

function provenanceOf({ slide, mppUm, bag, patches }: BagImport, encoder: string, { grid }: LaidGrid): Provenance {
  const content = createHash('sha256').update('imported features\n').update(encoder).digest('hex');
  return {
    slideId: slide.id,
    slideReader: slide.info.reader,
    mppUm: mppUm ?? 1,
    mppSource: mppUm === null ? 'unknown' : slide.info.mpp !== null && slide.userMppUm === null ? 'file' : 'user',
    backboneId: asId<BackboneId>(content),
    backboneName: importedName(encoder),
    backboneOrigin: 'unknown',
    cut: 'features',
    featureDim: bag.dim,
    gridId: grid.id,
    grid: grid.spec,
    tissue: grid.tissue,
    normalisation: 'none',
    precision: 'float32',
    batchSize: 1,
    threads: 1,
    device: 'imported',
    deviceDetail: [
      `features of another program (${bag.layout}); its tissue mask and stain normalisation are not known`,
      ...((bag.patchSizeLevel0Px ?? patches?.patchSizeLevel0Px ?? null) === null
        ? ['the step between tiles was taken for their size']
        : []),
      ...(mppUm === null ? ['the pixel size is not known: lengths are in level-0 pixels'] : []),
    ].join('; '),
    seed: 0,
    versions: {},
  };
}
