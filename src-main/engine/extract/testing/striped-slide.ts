import sharp from 'sharp';

/** A tiled TIFF of `sidePx` squared: tissue in stripes that differ everywhere, on white; no pixel size. */
export async function writeStripedSlide(path: string, sidePx: number): Promise<void> {
  const data = Buffer.alloc(sidePx * sidePx * 3, 245);
  for (let y = 20; y < sidePx - 20; y += 1) {
    for (let x = 20; x < sidePx - 20; x += 1) {
      const dark = Math.sin(x / (5 + y / 200)) + Math.cos(y / (7 + x / 300)) > 0;
      data.set(dark ? [92, 60, 140] : [214, 150 + ((x * 7 + y * 13) % 23), 190], 3 * (y * sidePx + x));
    }
  }
  const raw = { width: sidePx, height: sidePx, channels: 3 as const };
  await sharp(data, { raw }).tiff({ tile: true, tileWidth: 256, tileHeight: 256, compression: 'jpeg' }).toFile(path);
}
