import { AppError } from '../../../src-shared/errors.ts';
import type { RunId } from '../../../src-shared/model/ids.ts';
import type { MapSpec, ScoredTile, TileRef } from '../../../src-shared/model/map.ts';
import type { Run } from '../../../src-shared/model/run.ts';
import { type LaidGrid, tileRef } from '../grid/laid-grid.ts';
import { columnMeans, featureMatrix } from '../map/feature-matrix.ts';
import { MapWorker } from '../map/map-worker.ts';
import { cosineTo, type RankedTile, topScores } from '../map/similarity.ts';
import type { Store, StoredMap } from '../store/store.ts';
import type { AttentionSource } from './attention-map.ts';
import type { FeatureReader } from './study-heads.ts';

/** Bags kept in memory: the one being looked at and the one before. */
const MAX_BAGS = 2;

interface Bag {
  readonly run: Run;
  readonly laid: LaidGrid;
  readonly features: Float32Array;
}

/**
 * Maps of finished runs, drawn from stored features and kept: reopening a slide shows them at once. Of attention what the
 * heads said is kept (`StudyHeads`), so that all its views follow from it.
 */
export class MapService {
  readonly #store: Store;
  readonly #attention: () => AttentionSource;
  readonly #worker = new MapWorker();
  readonly #bags = new Map<RunId, Promise<Bag>>();
  readonly #grids = new Map<string, Promise<LaidGrid>>();
  readonly #computing = new Map<string, Promise<StoredMap>>();

  /** @param attention asked for when it is needed: studies and maps know each other. */
  constructor(store: Store, attention: () => AttentionSource) {
    this.#store = store;
    this.#attention = attention;
  }

  /** Throws NotFound, InvalidRequest for a run that is not finished or a tile it does not have. */
  async get(runId: RunId, spec: MapSpec): Promise<StoredMap> {
    if (spec.kind === 'attention') {
      const { run, laid, features } = await this.#open(runId);
      return await this.#attention().whole(spec, run, laid, features);
    }
    const known = await this.#store.getMap(runId, spec);
    if (known !== null) return known;
    const key = `${runId}${JSON.stringify(spec)}`;
    const computing = this.#computing.get(key);
    if (computing !== undefined) return await computing;
    const made = this.#compute(runId, spec).finally(() => this.#computing.delete(key));
    this.#computing.set(key, made);
    return await made;
  }

  /**
   * A map as soon as there is something to see: of attention the first with more than `models` heads, soon after it is
   * asked for; any other whole. Throws as `get`; Cancelled after `leave`.
   */
  async draw(runId: RunId, spec: MapSpec, models: number): Promise<StoredMap> {
    if (spec.kind !== 'attention') return await this.get(runId, spec);
    const { run, laid, features } = await this.#open(runId);
    return await this.#attention().soFar(spec, run, laid, features, models);
  }

  /** The map that `draw` described with so many heads. Throws NotFound where a later one has taken its place. */
  async drawn(runId: RunId, spec: MapSpec, models: number): Promise<StoredMap> {
    if (spec.kind !== 'attention') return await this.get(runId, spec);
    const { run, laid } = await this.#open(runId);
    const earlier = await this.#attention().earlier(spec, run, laid, models);
    if (earlier !== null) return earlier;
    throw new AppError('NotFound', 'A later picture has taken the place of this one.', { advice: 'Ask for that.' });
  }

  /** A map that `draw` began is no longer wanted. */
  async leave(runId: RunId, spec: MapSpec): Promise<void> {
    if (spec.kind === 'attention') await this.#attention().leave(spec.studyId, await this.#run(runId));
  }

  /** The tile whose square holds the point (level-0 pixels), or null. */
  async tileAt(runId: RunId, x0Px: number, y0Px: number): Promise<TileRef | null> {
    const laid = await this.#grid(await this.#run(runId));
    if (laid.cornersPx !== undefined) return nearestFreeTile(laid, x0Px, y0Px);
    const { strideLevel0Px, tileLevel0Px } = laid.grid;
    // Where tiles overlap, the one whose middle is nearest: what the viewer outlines under the pointer.
    const inset = (tileLevel0Px - strideLevel0Px) / 2;
    const column = Math.floor((x0Px - inset) / strideLevel0Px);
    const row = Math.floor((y0Px - inset) / strideLevel0Px);
    for (let index = 0; index < laid.columns.length; index++) {
      if (laid.columns[index] !== column || laid.rows[index] !== row) continue;
      const tile = tileRef(laid, index);
      const [dx, dy] = [x0Px - tile.x0Px, y0Px - tile.y0Px];
      const inside = dx >= 0 && dy >= 0 && dx < tileLevel0Px && dy < tileLevel0Px;
      return inside ? tile : null;
    }
    return null;
  }

  /** The `count` tiles most like the query, best first, the query left out; ties by tile index. */
  async similar(runId: RunId, tileIndex: number, count: number): Promise<readonly ScoredTile[]> {
    const { values, description } = await this.get(runId, { kind: 'similarity', tileIndex });
    const laid = await this.#grid(await this.#run(runId));
    const scored: ScoredTile[] = [];
    for (let index = 0; index < laid.columns.length; index++) {
      if (index === tileIndex) continue;
      const cell = (laid.rows[index] ?? 0) * description.columns + (laid.columns[index] ?? 0);
      scored.push({ tile: tileRef(laid, index), score: values[cell] ?? Number.NaN });
    }
    scored.sort((a, b) => b.score - a.score || a.tile.index - b.tile.index);
    return scored.slice(0, Math.max(0, Math.min(200, Math.floor(count))));
  }

  /** The tiles closest to the average of the slide's features, and those furthest from it, by cosine similarity. */
  async extremes(runId: RunId, count: number): Promise<{ typical: ScoredTile[]; unusual: ScoredTile[] }> {
    const { run, laid, features } = await this.#bag(runId);
    const matrix = featureMatrix(features, run.provenance.featureDim);
    const scores = cosineTo(matrix, columnMeans(matrix));
    const scored = ({ index, score }: RankedTile): ScoredTile => ({ tile: tileRef(laid, index), score });
    const lowest = topScores(
      scores.map((score) => -score),
      count,
    ).map(({ index, score }) => ({ index, score: -score }));
    return { typical: topScores(scores, count).map(scored), unusual: lowest.map(scored) };
  }

  /** The grid of a run. Throws NotFound. */
  async gridOf(runId: RunId): Promise<LaidGrid> {
    return await this.#grid(await this.#run(runId));
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#computing.values());
    await this.#worker.close();
  }

  async #compute(runId: RunId, spec: MapSpec): Promise<StoredMap> {
    const { run, laid, features } = await this.#bag(runId);
    if (spec.kind === 'similarity' && spec.tileIndex >= run.tileCount) {
      throw new AppError('InvalidRequest', 'This run has no tile of that number.');
    }
    const { featureDim } = run.provenance;
    const map = await this.#worker.compute({ spec, runId, features, featureDim, laid });
    await this.#store.putMap(map);
    return map;
  }

  async #bag(runId: RunId): Promise<Bag> {
    const known = this.#bags.get(runId);
    this.#bags.delete(runId);
    const bag = known ?? this.#load(runId);
    this.#bags.set(runId, bag);
    bag.catch(() => this.#bags.delete(runId));
    for (const oldest of [...this.#bags.keys()].slice(0, Math.max(0, this.#bags.size - MAX_BAGS))) {
      this.#bags.delete(oldest);
    }
    return await bag;
  }

  /** A run whose features are read only where they are needed. */
  async #open(runId: RunId): Promise<Omit<Bag, 'features'> & { readonly features: FeatureReader }> {
    const run = await this.#finished(runId);
    return { run, laid: await this.#grid(run), features: async () => (await this.#bag(runId)).features };
  }

  async #load(runId: RunId): Promise<Bag> {
    const run = await this.#finished(runId);
    return { run, laid: await this.#grid(run), features: await this.#store.readFeatures(runId) };
  }

  async #finished(runId: RunId): Promise<Run> {
    const run = await this.#run(runId);
    if (run.state !== 'done') {
      throw new AppError('InvalidRequest', 'This analysis is not finished yet.', {
        advice: 'Let it finish, or resume it, before looking at its map.',
      });
    }
    return run;
  }

  async #run(runId: RunId): Promise<Run> {
    const run = await this.#store.getRun(runId);
    if (run === null) throw new AppError('NotFound', 'This analysis no longer exists.');
    return run;
  }

  async #grid(run: Run): Promise<LaidGrid> {
    const { gridId } = run.provenance;
    const known = this.#grids.get(gridId);
    if (known !== undefined) return await known;
    const loading = this.#store.getGrid(gridId).then((laid) => {
      if (laid === null) throw new AppError('NotFound', 'The tile grid of this analysis no longer exists.');
      return laid;
    });
    this.#grids.set(gridId, loading);
    loading.catch(() => this.#grids.delete(gridId));
    return await loading;
  }
}

/** Of the free tiles that hold the point, the one whose middle is nearest. */
function nearestFreeTile(laid: LaidGrid, x0Px: number, y0Px: number): TileRef | null {
  let [best, bestPx]: [TileRef | null, number] = [null, laid.grid.tileLevel0Px / 2];
  for (let index = 0; index < laid.columns.length; index++) {
    const tile = tileRef(laid, index);
    const half = tile.sizeLevel0Px / 2;
    const offPx = Math.max(Math.abs(x0Px - tile.x0Px - half), Math.abs(y0Px - tile.y0Px - half));
    if (offPx < bestPx) [best, bestPx] = [tile, offPx];
  }
  return best;
}
