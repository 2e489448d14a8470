import { CodecError } from './codec-error.ts';
import { decodePackBits } from './pack-bits.ts';

const HEADER_BYTES = 64;

/**
 * DICOM RLE Lossless (PS3.5, annex G): a header of 16 offsets, then one PackBits segment per byte plane.
 * Returns the planes one after another: `segments * planeBytes`. Throws CodecError.
 */
export function decodeDicomRle(stream: Uint8Array, segments: number, planeBytes: number): Uint8Array {
  if (stream.length < HEADER_BYTES) throw new CodecError('RLE frame without a header');
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  if (view.getUint32(0, true) !== segments) {
    throw new CodecError(`RLE frame with ${view.getUint32(0, true)} of ${segments} segments`);
  }
  const planes = new Uint8Array(segments * planeBytes);
  for (let segment = 0; segment < segments; segment++) {
    const start = view.getUint32(4 + segment * 4, true);
    const end = segment + 1 < segments ? view.getUint32(8 + segment * 4, true) : stream.length;
    if (start < HEADER_BYTES || end <= start || end > stream.length)
      throw new CodecError('RLE segment leaves its frame');
    planes.set(decodePackBits(stream.subarray(start, end), planeBytes), segment * planeBytes);
  }
  return planes;
}
