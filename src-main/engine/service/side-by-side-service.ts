import { AppError } from '../../../src-shared/errors.ts';
import type { MapAgreement, MapSide } from '../../../src-shared/model/side-by-side.ts';
import type { Store } from '../store/store.ts';
import type { MapService } from './map-service.ts';
import { type ComparedMaps, compareMaps, type ScalarMap } from './side-by-side.ts';

/** Disagreements that are listed. */
const MOST_LISTED = 24;
/** Comparisons kept: the one on screen, whose picture is asked for right after its numbers, and the one before. */
const KEPT = 2;

/** Maps of two runs of one slide, compared by place. */
export class SideBySideService {
  readonly #maps: MapService;
  readonly #store: Pick<Store, 'getRun'>;
  readonly #kept = new Map<string, Promise<ComparedMaps>>();

  constructor(maps: MapService, store: Pick<Store, 'getRun'>) {
    this.#maps = maps;
    this.#store = store;
  }

  /** Throws NotFound; InvalidRequest for runs of different slides and maps without one value for each tile. */
  async compare(a: MapSide, b: MapSide): Promise<MapAgreement> {
    return (await this.#compared(a, b)).agreement;
  }

  /** Values of the difference map, see MapAgreement. Throws as `compare`. */
  async difference(a: MapSide, b: MapSide): Promise<Float32Array> {
    return (await this.#compared(a, b)).difference;
  }

  async #compared(a: MapSide, b: MapSide): Promise<ComparedMaps> {
    const key = JSON.stringify([a, b]);
    const known = this.#kept.get(key);
    this.#kept.delete(key);
    const comparing = known ?? this.#compareNow(a, b);
    this.#kept.set(key, comparing);
    comparing.catch(() => this.#kept.delete(key));
    for (const oldest of [...this.#kept.keys()].slice(0, Math.max(0, this.#kept.size - KEPT)))
      this.#kept.delete(oldest);
    return await comparing;
  }

  async #compareNow(a: MapSide, b: MapSide): Promise<ComparedMaps> {
    const [runA, runB] = await Promise.all([this.#store.getRun(a.runId), this.#store.getRun(b.runId)]);
    if (runA !== null && runB !== null && runA.slideId !== runB.slideId) {
      throw new AppError('InvalidRequest', 'These are maps of different slides.', {
        advice: 'Choose two analyses of the same slide.',
      });
    }
    const [mapA, mapB] = await Promise.all([this.#scalar(a), this.#scalar(b)]);
    return compareMaps(mapA, mapB, MOST_LISTED);
  }

  async #scalar({ runId, spec }: MapSide): Promise<ScalarMap> {
    const { description, values } = await this.#maps.get(runId, spec);
    if (description.channels !== 1 || description.categories.length > 0) {
      throw new AppError('InvalidRequest', 'This kind of map has no order to compare.', {
        advice: 'Compare maps with one value for each tile: similarity, or attention.',
      });
    }
    return { description, values, laid: await this.#maps.gridOf(runId) };
  }
}
