/** 8-bit RGB, interleaved, row-major: `data.length === widthPx * heightPx * 3`. */
export interface RasterImage {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly data: Uint8Array;
}
