import { routes } from '../../src-shared/api/routes.ts';
import type { AppError } from '../../src-shared/errors.ts';
import type { RunId } from '../../src-shared/model/ids.ts';
import type { MapDescription, MapSpec, ScoredTile, TileRef } from '../../src-shared/model/map.ts';
import type { ColourMapName } from '../../src-shared/numeric/colour-maps.ts';
import { rasterizeMap } from '../../src-shared/numeric/map-raster.ts';
import { fetchFloats } from '../client/files.ts';
import type { MapImage } from '../viewer/overlay-painter.ts';
import { engine } from './session.svelte.ts';
import { settings } from './settings.svelte.ts';
import { asAppError } from './toasts.svelte.ts';

interface LoadedMap {
  readonly description: MapDescription;
  readonly values: Float32Array;
}

const GALLERY_SIZE = 24;
/** A few maps of a large slide are some tens of megabytes; more than these are asked for again. */
const KEPT_MAPS = 12;

/**
 * The map over the slide. Its values are fetched once; colours, range and threshold are applied here, so that a change of
 * any of them is seen at once.
 */
class MapDisplay {
  status = $state<'none' | 'loading' | 'ready' | 'failed'>('none');
  /** Heads in the picture, and how many there will be, while some are missing. */
  models = $state.raw<{ readonly done: number; readonly of: number } | null>(null);
  error = $state.raw<AppError | null>(null);
  spec = $state.raw<MapSpec>({ kind: 'pca' });
  runId = $state.raw<RunId | null>(null);
  loaded = $state.raw<LoadedMap | null>(null);
  visible = $state(true);
  min = $state(0);
  max = $state(1);
  threshold = $state<number | null>(null);
  similar = $state.raw<readonly ScoredTile[]>([]);
  /** The tile of the gallery that was flown to. */
  chosen = $state.raw<TileRef | null>(null);
  /** True while a click in the slide chooses the tile to compare with. */
  asking = $state(false);

  readonly isScalar = $derived(
    this.loaded !== null && this.loaded.description.channels === 1 && this.loaded.description.categories.length === 0,
  );

  /** True where the sign of a value counts: blue and red with a pale middle, whatever map the user prefers. */
  readonly diverges = $derived(
    this.loaded?.description.spec.kind === 'attention' && this.loaded.description.spec.view === 'contribution',
  );
  readonly colourMap: ColourMapName = $derived(this.diverges ? 'coolwarm' : settings.colourMap);

  readonly image: MapImage | null = $derived.by(() => {
    if (!this.loaded) return null;
    const paint = { colourMap: this.colourMap, min: this.min, max: this.max, threshold: this.threshold };
    return mapImage(this.loaded, paint);
  });

  readonly #kept = new Map<string, LoadedMap>();
  #request = 0;

  /**
   * Shows a map of a finished run. What was shown before stays until the new one is there; of a large ensemble the first
   * heads are shown until all have judged the slide.
   */
  async show(runId: RunId, spec: MapSpec): Promise<void> {
    const request = ++this.#request;
    this.#leave(runId, spec);
    this.runId = runId;
    this.spec = spec;
    this.error = null;
    this.status = 'loading';
    try {
      const similar = spec.kind === 'similarity' ? engine.similarTiles(runId, spec.tileIndex, GALLERY_SIZE) : null;
      let [loaded, tiles] = await Promise.all([this.#load(runId, spec, 0), similar]);
      if (request !== this.#request) return;
      this.#take(loaded, tiles ?? []);
      while (this.models !== null) {
        const { done } = this.models;
        loaded = await this.#load(runId, spec, done).catch((error: unknown) => {
          // Another window has left the same map: here it is still wanted.
          if (request !== this.#request || asAppError(error).code !== 'Cancelled') throw error;
          return this.#load(runId, spec, 0);
        });
        if (request !== this.#request) return;
        this.#renew(loaded);
      }
    } catch (error) {
      if (request !== this.#request) return;
      this.loaded = null;
      this.error = asAppError(error);
      this.status = 'failed';
    }
  }

  /** The map of the tile at a place of the slide; false where the grid has none. */
  async showSimilarAt(runId: RunId, x0Px: number, y0Px: number): Promise<boolean> {
    const tile = await engine.tileAt(runId, x0Px, y0Px);
    if (!tile) return false;
    await this.show(runId, { kind: 'similarity', tileIndex: tile.index });
    return true;
  }

  resetRange(): void {
    const [min, max] = this.loaded?.description.range ?? [0, 1];
    this.min = min;
    this.max = max;
    this.threshold = null;
  }

  clear(): void {
    this.#request += 1;
    this.#leave(null, null);
    this.#kept.clear();
    this.runId = null;
    this.loaded = null;
    this.similar = [];
    this.chosen = null;
    this.asking = false;
    this.error = null;
    this.spec = { kind: 'pca' };
    this.status = 'none';
  }

  /** Heads that still judge for a map that is no longer wanted may stop; another view of the same heads needs them. */
  #leave(runId: RunId | null, spec: MapSpec | null): void {
    const [leftRun, left] = [this.runId, this.spec];
    const isOver = this.models === null && this.status !== 'loading';
    this.models = null;
    if (isOver || leftRun === null || left.kind !== 'attention') return;
    if (leftRun === runId && spec?.kind === 'attention' && spec.studyId === left.studyId) return;
    // The engine may be gone, and with it what it computed.
    engine.leaveMap(leftRun, left).catch(() => {});
  }

  /** The same map with more heads: what the user has set of its colours stays. */
  #renew(loaded: LoadedMap): void {
    const [min, max] = this.loaded?.description.range ?? [0, 1];
    const isOwn = this.min !== min || this.max !== max;
    this.loaded = loaded;
    this.models = missingModels(loaded);
    if (!isOwn) [this.min, this.max] = loaded.description.range;
  }

  #take(loaded: LoadedMap, similar: readonly ScoredTile[]): void {
    this.loaded = loaded;
    this.models = missingModels(loaded);
    this.similar = similar;
    this.chosen = null;
    this.resetRange();
    this.status = 'ready';
  }

  /** @param models heads of the picture that is shown already; 0 = none is. */
  async #load(runId: RunId, spec: MapSpec, models: number): Promise<LoadedMap> {
    const key = `${runId} ${JSON.stringify(spec)}`;
    const kept = this.#kept.get(key);
    if (kept) return kept;
    const loaded = await drawn(runId, spec, models);
    if (missingModels(loaded) !== null) return loaded;
    const [oldest] = this.#kept.keys();
    if (this.#kept.size >= KEPT_MAPS && oldest !== undefined) this.#kept.delete(oldest);
    this.#kept.set(key, loaded);
    return loaded;
  }
}

/** A map with its values. A picture that a later one has replaced between the two is asked for anew. */
async function drawn(runId: RunId, spec: MapSpec, models: number): Promise<LoadedMap> {
  const description = await engine.drawMap(runId, spec, models);
  const { done, of } = description.models ?? { done: 0, of: 0 };
  if (done === of) return { description, values: await fetchFloats(routes.mapValues(runId, spec)) };
  try {
    return { description, values: await fetchFloats(routes.mapValues(runId, spec, done)) };
  } catch (error) {
    if (asAppError(error).code !== 'NotFound') throw error;
    return await drawn(runId, spec, done);
  }
}

function missingModels({ description: { models } }: LoadedMap): NonNullable<MapDescription['models']> | null {
  return models === undefined || models.done >= models.of ? null : models;
}

function mapImage({ description, values }: LoadedMap, paint: Parameters<typeof rasterizeMap>[2]): MapImage | null {
  const { columns, rows, strideLevel0Px, tileLevel0Px } = description;
  if (columns === 0 || rows === 0) return null;
  const source = document.createElement('canvas');
  source.width = columns;
  source.height = rows;
  const pixels = rasterizeMap(description, values, paint);
  source.getContext('2d')?.putImageData(new ImageData(pixels, columns, rows), 0, 0);
  return { source, strideLevel0Px, tileLevel0Px };
}

export const mapDisplay = new MapDisplay();
