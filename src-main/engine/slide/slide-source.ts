import type { Interpolation } from '../../../src-shared/model/backbone.ts';
import type { SlideInfo } from '../../../src-shared/model/slide.ts';

/** 8-bit RGB, interleaved, row-major, no padding: `data.length === widthPx * heightPx * 3`. */
export interface RgbImage {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly data: Uint8Array;
  /** Set where a part of it has no pixels in the file although it should: that part is hatched. */
  readonly missing?: true;
}

/** Bytes a browser can show as they are. */
export interface EncodedImage {
  readonly mediaType: 'image/jpeg' | 'image/png' | 'image/webp';
  readonly bytes: Uint8Array;
}

/**
 * A rectangle of the slide in level-0 pixels (float origin and extent) and the size it is wanted at.
 * What lies outside the slide comes back white.
 */
export interface RegionRequest {
  readonly x0Px: number;
  readonly y0Px: number;
  readonly widthLevel0Px: number;
  readonly heightLevel0Px: number;
  readonly outWidthPx: number;
  readonly outHeightPx: number;
  /** The filter it is resampled with; bilinear if left out. */
  readonly interpolation?: Interpolation;
}

/** One opened slide file. One reader per container; vendor quirks stay inside it. All coordinates say their level. */
export interface SlideSource {
  readonly path: string;
  readonly info: SlideInfo;

  /**
   * The stored tile as a browser can show it without decoding here (JPEG with its tables merged and an Adobe marker
   * where the photometric tag needs one). Null where the level is not stored as JPEG: then use `readTile`.
   * @throws AppError SlideDamaged where the tile's bytes are unreadable, InvalidRequest outside the level.
   */
  encodedTile(level: number, column: number, row: number): Promise<EncodedImage | null>;

  /** The stored tile decoded, at full tile size (edge padding included). Throws as `encodedTile`. */
  readTile(level: number, column: number, row: number): Promise<RgbImage>;

  /** Native pixels of one level: x, y, width and height in that level's own pixels, white outside. Never resampled. */
  readLevelRegion(level: number, xPx: number, yPx: number, widthPx: number, heightPx: number): Promise<RgbImage>;

  /**
   * Any rectangle at any size: read from the coarsest level that is still at least as fine as asked for,
   * resampled with an antialiasing filter. Identity (no resampling) when scale is 1:1 and the origin is integral.
   */
  readRegion(request: RegionRequest, signal?: AbortSignal): Promise<RgbImage>;

  /** An associated image by the name `info.associated` gives it. Throws NotFound. */
  associated(name: string): Promise<EncodedImage>;

  /** The embedded ICC profile, or null. */
  iccProfile(): Promise<Uint8Array | null>;

  close(): Promise<void>;
}
