import OpenSeadragon from 'openseadragon';
import { routes } from '../../src-shared/api/routes.ts';
import type { SlideId } from '../../src-shared/model/ids.ts';
import type { SlideInfo, SlideLevel } from '../../src-shared/model/slide.ts';
import type { ColourLookup } from './colour-lookup.ts';
import { tileAtUnit, tileRectPx, tileRectUnit } from './pyramid.ts';

/** What a download keeps with its job. */
interface CorrectedJob {
  abort?: AbortController;
}

/** A slide as OpenSeadragon asks for it: the file's own levels, tiles by `routes.tile`. */
export class SlideTileSource extends OpenSeadragon.TileSource {
  readonly #id: SlideId;
  readonly #route: typeof routes.tile;
  readonly #levels: readonly SlideLevel[];
  readonly #lookup: ColourLookup | null;

  /**
   * @param info its levels, level 0, the finest, first
   * @param colours how the slide's colour profile is applied, for the eye only: by a lookup here, by the engine that
   * encodes the tiles anew, or not at all
   */
  constructor(id: SlideId, info: SlideInfo, colours: ColourLookup | 'engine' | 'stored') {
    const base = finest(info.levels);
    super({
      width: base.widthPx,
      height: base.heightPx,
      tileWidth: base.tileWidthPx,
      tileHeight: base.tileHeightPx,
      minLevel: 0,
      maxLevel: info.levels.length - 1,
    });
    this.#id = id;
    this.#route = colours === 'engine' ? routes.correctedTile : routes.tile;
    this.#lookup = typeof colours === 'string' ? null : colours;
    this.#levels = info.levels;
  }

  /** OpenSeadragon's level 0 is the coarsest. */
  #level(level: number): SlideLevel {
    return this.#levels[this.#slideLevel(level)] ?? finest(this.#levels);
  }

  #slideLevel(level: number): number {
    return this.#levels.length - 1 - level;
  }

  override getLevelScale(level: number): number {
    return this.#level(level).widthPx / finest(this.#levels).widthPx;
  }

  override getNumTiles(level: number): OpenSeadragon.Point {
    const { columns, rows } = this.#level(level);
    return new OpenSeadragon.Point(columns, rows);
  }

  override getTileWidth(level: number): number {
    return this.#level(level).tileWidthPx;
  }

  override getTileHeight(level: number): number {
    return this.#level(level).tileHeightPx;
  }

  override getTileBounds(level: number, column: number, row: number, isSource = false): OpenSeadragon.Rect {
    const own = this.#level(level);
    const rect = isSource
      ? { ...tileRectPx(own, column, row), x: 0, y: 0 }
      : tileRectUnit(finest(this.#levels), own, column, row);
    return new OpenSeadragon.Rect(rect.x, rect.y, rect.width, rect.height);
  }

  // The published types say Tile; the library itself returns, and expects, the tile's column and row as a Point.
  override getTileAtPoint(level: number, point: OpenSeadragon.Point): OpenSeadragon.Tile {
    const { column, row } = tileAtUnit(finest(this.#levels), this.#level(level), point.x, point.y);
    return new OpenSeadragon.Point(column, row) as unknown as OpenSeadragon.Tile;
  }

  override getTileUrl(level: number, column: number, row: number): string {
    return this.#route(this.#id, this.#slideLevel(level), column, row);
  }

  override downloadTileStart(job: OpenSeadragon.ImageJob): void {
    if (this.#lookup === null) super.downloadTileStart(job);
    else void this.#downloadCorrected(job, this.#lookup);
  }

  override downloadTileAbort(job: OpenSeadragon.ImageJob): void {
    if (this.#lookup === null) super.downloadTileAbort(job);
    else (job.userData as CorrectedJob).abort?.abort();
  }

  async #downloadCorrected(job: OpenSeadragon.ImageJob, lookup: ColourLookup): Promise<void> {
    const abort = new AbortController();
    (job.userData as CorrectedJob).abort = abort;
    try {
      const response = await fetch(job.src, { signal: abort.signal });
      if (!response.ok) throw new Error(`status ${response.status}`);
      const tile = await createImageBitmap(await response.blob(), { colorSpaceConversion: 'none' });
      const context = await lookup.apply(tile);
      tile.close();
      job.finish(context, null, 'context2d');
    } catch (error) {
      job.fail(String(error), null);
    }
  }

  /**
   * The canvas drawer widens tiles that do not overlap by a pixel to hide seams, which blurs them. Where slide pixels lie
   * on whole screen pixels there is no seam: the smallest overlap there is says so, and leaves every tile as it is.
   */
  setExact(exact: boolean): void {
    this.tileOverlap = exact ? Number.MIN_VALUE : 0;
  }

  override hasTransparency(): boolean {
    return false;
  }
}

function finest(levels: readonly SlideLevel[]): SlideLevel {
  const [base] = levels;
  if (base === undefined) throw new RangeError('A slide has at least one level.');
  return base;
}
