import sharp from 'sharp';

/** A tiled pyramid of 900 x 700 px without a pixel size: pink tissue with purple dots on white. */
export async function writeTinySlide(path: string): Promise<void> {
  const width = 900;
  const height = 700;
  const data = Buffer.alloc(width * height * 3, 245);
  for (let y = 60; y < 640; y += 1) {
    for (let x = 60; x < 840; x += 1) {
      const dot = (x % 24) ** 2 + (y % 31) ** 2 < 90;
      data.set(dot ? [92, 60, 140] : [214, 150 + ((x * 7 + y * 13) % 23), 190], 3 * (y * width + x));
    }
  }
  await sharp(data, { raw: { width, height, channels: 3 } })
    .tiff({ tile: true, tileWidth: 256, tileHeight: 256, pyramid: true, compression: 'jpeg', quality: 90 })
    .toFile(path);
}
