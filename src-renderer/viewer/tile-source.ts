import OpenSeadragon from 'openseadragon';
import { routes } from '../../src-shared/api/routes.ts';
import type { SlideId } from '../../src-shared/model/ids.ts';
import type { SlideInfo, SlideLevel } from '../../src-shared/model/slide.ts';
import { tileAtUnit, tileRectPx, tileRectUnit } from './pyramid.ts';

/** A slide as OpenSeadragon asks for it: the file's own levels, tiles by `routes.tile`. */
export class SlideTileSource extends OpenSeadragon.TileSource {
  readonly #id: SlideId;
  readonly #route: typeof routes.tile;
  readonly #levels: readonly SlideLevel[];

  /**
   * @param info its levels, level 0, the finest, first
   * @param colourManaged tiles with the slide's colour profile applied, for the eye only
   */
  constructor(id: SlideId, info: SlideInfo, colourManaged: boolean) {
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
    this.#route = colourManaged ? routes.correctedTile : routes.tile;
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
