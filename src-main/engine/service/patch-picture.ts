import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { AppError } from '../../../src-shared/errors.ts';
import type { EncodedImage } from '../slide/slide-source.ts';

/**
 * A file as a PNG whose longer side is `maxPx`, small ones enlarged pixel by pixel. Only a file that still is what its
 * SHA-256 says is shown: a path stored once is no right to read whatever lies there later.
 *
 * @throws AppError NotFound.
 */
export async function patchPicture(path: string, sha256: string, maxPx: number): Promise<EncodedImage> {
  const bytes = await readFile(path).catch(() => null);
  if (bytes === null || createHash('sha256').update(bytes).digest('hex') !== sha256) {
    throw new AppError('NotFound', 'This image is gone, or has changed since it was compared.', {
      advice: 'Put it back where it was, or run the comparison again.',
    });
  }
  const image = sharp(bytes);
  const { width, height } = await image.metadata();
  const kernel = Math.max(width, height) < maxPx ? 'nearest' : 'lanczos3';
  const resized = image.resize(maxPx, maxPx, { fit: 'inside', kernel });
  return { bytes: await resized.png().toBuffer(), mediaType: 'image/png' };
}
