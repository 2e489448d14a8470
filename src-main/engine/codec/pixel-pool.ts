/** Buffers kept for reuse, of all sizes together, on each thread. */
const KEPT_BYTES = 16 << 20;

const kept = new Map<number, Uint8Array[]>();
let keptBytes = 0;

/**
 * Memory for pixels that will all be written: what is in it is undefined. Reused where `givePixels` returned a buffer of
 * that size: fresh buffers of a tile's size cost a collection of the whole heap every few hundred tiles.
 */
export function takePixels(bytes: number): Uint8Array {
  const buffer = kept.get(bytes)?.pop();
  if (buffer === undefined) return Buffer.allocUnsafeSlow(bytes);
  keptBytes -= bytes;
  return buffer;
}

/** Hands a buffer back that nobody reads any more. Views of a part of other memory are left alone. */
export function givePixels(pixels: Uint8Array): void {
  const { byteLength, buffer } = pixels;
  if (byteLength !== buffer.byteLength || buffer instanceof SharedArrayBuffer) return;
  if (keptBytes + byteLength > KEPT_BYTES) {
    // Sizes change with the slide: buffers of an earlier one must not fill the pool for ever.
    kept.clear();
    keptBytes = 0;
    if (byteLength > KEPT_BYTES) return;
  }
  const same = kept.get(byteLength);
  if (same === undefined) kept.set(byteLength, [pixels]);
  else same.push(pixels);
  keptBytes += byteLength;
}
