import type { RunId } from '../../../src-shared/model/ids.ts';
import type { Run } from '../../../src-shared/model/run.ts';
import type { BackboneRecord, Store } from './store.ts';

/** What became of one run of the source. */
export type MergeOutcome =
  /** It was not there: copied. */
  | 'added'
  /** It was there with fewer tiles, equal as far as they go: continued. */
  | 'extended'
  /** It was there with as many tiles or more, equal as far as they go: left alone. */
  | 'same'
  /** It was there with other features: left alone. */
  | 'differs'
  /** Its features in the source are damaged: not copied, or only up to the damage. */
  | 'damaged';

export interface MergedRun {
  readonly runId: RunId;
  readonly outcome: MergeOutcome;
}

export interface MergeReport {
  readonly slidesAdded: number;
  /** Records that were added; the caller copies their files. */
  readonly backbonesAdded: readonly BackboneRecord[];
  readonly runs: readonly MergedRun[];
}

export interface MergeOptions {
  readonly signal?: AbortSignal;
  readonly onRun?: (run: MergedRun) => void;
}

/** Tiles copied at once: bounds memory, and each block is one transaction. */
const BLOCK_TILES = 256;

/**
 * Adds everything of `source` that `target` lacks: slides, backbones, and runs with their grids, features and maps.
 * What the target has wins; runs are the same when their identity is. Features are compared bit by bit where both
 * stores have them, and their checksums are verified on the way. Jobs and settings stay where they are. Merging again,
 * also after a kill in the middle, goes on where it stopped.
 * @throws AppError DiskFull, StoreReadOnly, StoreDamaged (the target's own features); the signal's reason
 */
export async function mergeStore(target: Store, source: Store, options: MergeOptions = {}): Promise<MergeReport> {
  let slidesAdded = 0;
  for (const slide of await source.listSlides()) {
    if ((await target.getSlide(slide.id)) !== null) continue;
    await target.putSlide(slide);
    slidesAdded++;
  }
  const backbonesAdded: BackboneRecord[] = [];
  for (const record of await source.listBackbones()) {
    if ((await target.getBackbone(record.card.id)) !== null) continue;
    await target.putBackbone(record);
    backbonesAdded.push(record);
  }
  const runs: MergedRun[] = [];
  for (const run of [...(await source.listRuns(null))].reverse()) {
    options.signal?.throwIfAborted();
    const merged = { runId: run.id, outcome: await mergeRun(target, source, run, options) };
    runs.push(merged);
    options.onRun?.(merged);
  }
  return { slidesAdded, backbonesAdded, runs };
}

async function mergeRun(target: Store, source: Store, run: Run, { signal }: MergeOptions): Promise<MergeOutcome> {
  const before = await target.findRun(run.provenance);
  const outcome = before === null ? 'added' : run.tilesDone > before.tilesDone ? 'extended' : 'same';
  const mine = before ?? (await copyEmptyRun(target, source, run));
  if (mine === null) return 'damaged';
  const shared = Math.min(mine.tilesDone, run.tilesDone);
  for (let firstTile = 0; firstTile < run.tilesDone; ) {
    signal?.throwIfAborted();
    const end = firstTile < shared ? shared : run.tilesDone;
    const tileCount = Math.min(BLOCK_TILES, end - firstTile);
    const values = await readOrNull(source, run.id, firstTile, tileCount);
    if (values === null) return 'damaged';
    if (firstTile >= shared) {
      const dim = run.provenance.featureDim;
      await target.appendFeatures({ runId: mine.id, firstTile, tileCount, dim, values });
    } else if (!equalBits(values, await target.readFeatures(mine.id, { firstTile, tileCount }))) return 'differs';
    firstTile += tileCount;
  }
  if (outcome !== 'same') {
    const state = run.state === 'done' ? 'done' : 'paused';
    const { secondsSpent, finishedAtMs, provenance } = run;
    await target.updateRun(mine.id, { state, secondsSpent, finishedAtMs, provenance });
  }
  if (mine.tilesDone <= run.tilesDone) await copyMaps(target, source, run, mine.id);
  return outcome;
}

/** The run without features in the target; null where the source has lost its grid. */
async function copyEmptyRun(target: Store, source: Store, run: Run): Promise<Run | null> {
  const grid = await source.getGrid(run.provenance.gridId);
  if (grid === null) return null;
  await target.putGrid(grid);
  const empty: Run = { ...run, state: 'paused', tilesDone: 0, secondsSpent: 0, finishedAtMs: null, jobId: null };
  await target.createRun(empty);
  return empty;
}

async function readOrNull(
  source: Store,
  runId: RunId,
  firstTile: number,
  tileCount: number,
): Promise<Float32Array | null> {
  try {
    return await source.readFeatures(runId, { firstTile, tileCount });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'StoreDamaged') return null;
    throw error;
  }
}

/** Compared as bytes: NaN equals itself. */
function equalBits(a: Float32Array, b: Float32Array): boolean {
  const bytes = (values: Float32Array): Buffer => Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  return bytes(a).equals(bytes(b));
}

async function copyMaps(target: Store, source: Store, run: Run, targetId: RunId): Promise<void> {
  for (const { spec } of await source.listMaps(run.id)) {
    if ((await target.getMap(targetId, spec)) !== null) continue;
    const map = await source.getMap(run.id, spec);
    if (map !== null) await target.putMap({ ...map, description: { ...map.description, runId: targetId } });
  }
}
