import { AppError } from '../../../src-shared/errors.ts';
import type { SlideInfo } from '../../../src-shared/model/slide.ts';
import type { RegionRequest, RgbImage, SlideSource } from '../slide/slide-source.ts';

/** A one-level slide whose pixels a function paints: drives the mask's tests with shapes of known area. */
export function memorySlide(
  widthPx: number,
  heightPx: number,
  paint: (x: number, y: number) => readonly [number, number, number],
): SlideSource & { largestReadPx(): number } {
  let largestReadPx = 0;
  const readRegion = (request: RegionRequest): Promise<RgbImage> => {
    const { outWidthPx, outHeightPx } = request;
    largestReadPx = Math.max(largestReadPx, request.widthLevel0Px * request.heightLevel0Px);
    const data = new Uint8Array(outWidthPx * outHeightPx * 3);
    for (let y = 0; y < outHeightPx; y++) {
      for (let x = 0; x < outWidthPx; x++) {
        const x0 = request.x0Px + ((x + 0.5) * request.widthLevel0Px) / outWidthPx;
        const y0 = request.y0Px + ((y + 0.5) * request.heightLevel0Px) / outHeightPx;
        data.set(paint(x0, y0), (y * outWidthPx + x) * 3);
      }
    }
    return Promise.resolve({ widthPx: outWidthPx, heightPx: outHeightPx, data });
  };
  const refuse = (): Promise<never> => Promise.reject(new AppError('NotFound', 'Not part of this slide.'));
  return {
    path: 'memory',
    info: memoryInfo(widthPx, heightPx),
    readRegion,
    largestReadPx: () => largestReadPx,
    encodedTile: () => Promise.resolve(null),
    readTile: refuse,
    readLevelRegion: (_level, x, y, width, height) =>
      readRegion({
        x0Px: x,
        y0Px: y,
        widthLevel0Px: width,
        heightLevel0Px: height,
        outWidthPx: width,
        outHeightPx: height,
      }),
    associated: refuse,
    iccProfile: () => Promise.resolve(null),
    close: () => Promise.resolve(),
  };
}

function memoryInfo(widthPx: number, heightPx: number): SlideInfo {
  const tile = {
    tileWidthPx: 256,
    tileHeightPx: 256,
    columns: Math.ceil(widthPx / 256),
    rows: Math.ceil(heightPx / 256),
  };
  return {
    widthPx,
    heightPx,
    levels: [{ widthPx, heightPx, downsample: 1, ...tile }],
    mpp: null,
    objective: null,
    vendor: 'memory',
    reader: 'memory',
    compression: 'none',
    associated: [],
    hasIccProfile: false,
    warnings: [],
  };
}
