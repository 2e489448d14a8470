import { CodecError } from './codec-error.ts';

/** Apple's PackBits run lengths (TIFF 6.0, section 9). Throws CodecError where the stream ends early. */
export function decodePackBits(stream: Uint8Array, expectedBytes: number): Uint8Array {
  const out = new Uint8Array(expectedBytes);
  let inAt = 0;
  let outAt = 0;
  while (outAt < expectedBytes) {
    const head = stream[inAt++];
    if (head === undefined) throw new CodecError(`PackBits stream ends after ${outAt} of ${expectedBytes} bytes`);
    if (head === 128) continue;
    if (head < 128) {
      const run = stream.subarray(inAt, inAt + Math.min(head + 1, expectedBytes - outAt));
      out.set(run, outAt);
      inAt += head + 1;
      outAt += run.length;
      if (run.length === 0) throw new CodecError('PackBits stream ends inside a run');
    } else {
      const value = stream[inAt++];
      if (value === undefined) throw new CodecError('PackBits stream ends inside a run');
      const end = Math.min(outAt + 257 - head, expectedBytes);
      out.fill(value, outAt, end);
      outAt = end;
    }
  }
  return out;
}
