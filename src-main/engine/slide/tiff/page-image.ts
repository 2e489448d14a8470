import { missingMark, missingTile } from '../missing-tile.ts';
import { slideDamaged } from '../slide-errors.ts';
import type { RgbImage } from '../slide-source.ts';
import type { ChunkReader } from './chunk-reader.ts';

/** Associated images and small flat pages only: levels are never assembled. */
const MAX_PIXELS = 1 << 26;

/** A whole page (tiled or in strips) as one RGB image; missing parts are hatched. Throws SlideDamaged. */
export async function assemblePage(reader: ChunkReader): Promise<RgbImage> {
  const { widthPx, heightPx, chunkWidthPx, chunkHeightPx, columns, rows } = reader.page;
  if (widthPx * heightPx > MAX_PIXELS) throw slideDamaged(`page of ${widthPx} x ${heightPx} px`);
  const data = new Uint8Array(widthPx * heightPx * 3).fill(255);
  let missing = false;
  for (let index = 0; index < columns * rows; index++) {
    const chunk = (await reader.rgb(index)) ?? missingTile(chunkWidthPx, chunkHeightPx);
    missing ||= chunk.missing === true;
    const x = (index % columns) * chunkWidthPx;
    const y = Math.floor(index / columns) * chunkHeightPx;
    const length = Math.min(chunk.widthPx, widthPx - x) * 3;
    for (let row = 0; row < Math.min(chunk.heightPx, heightPx - y); row++) {
      const start = row * chunk.widthPx * 3;
      data.set(chunk.data.subarray(start, start + length), ((y + row) * widthPx + x) * 3);
    }
  }
  return { widthPx, heightPx, data, ...missingMark(missing) };
}
