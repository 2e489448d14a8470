import { CodecError } from './codec-error.ts';

/**
 * Undoes TIFF's horizontal differencing (TIFF 6.0, section 14) in place.
 * `rowSamples` is the number of samples in a row, `stride` the samples per pixel, `bits` 8 or 16.
 */
export function undoPredictor(
  data: Uint8Array,
  rowSamples: number,
  stride: number,
  bits: number,
  littleEndian: boolean,
): void {
  if (bits === 8) {
    for (let row = 0; row + rowSamples <= data.length; row += rowSamples) {
      for (let at = row + stride; at < row + rowSamples; at++)
        data[at] = ((data[at] ?? 0) + (data[at - stride] ?? 0)) & 255;
    }
    return;
  }
  if (bits !== 16) throw new CodecError(`differencing of ${bits}-bit samples`);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const rowBytes = rowSamples * 2;
  for (let row = 0; row + rowBytes <= data.length; row += rowBytes) {
    for (let at = row + stride * 2; at < row + rowBytes; at += 2) {
      const sum = view.getUint16(at, littleEndian) + view.getUint16(at - stride * 2, littleEndian);
      view.setUint16(at, sum & 0xffff, littleEndian);
    }
  }
}
