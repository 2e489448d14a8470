import { CodecError } from './codec-error.ts';

const CLEAR = 256;
const END = 257;
const MAX_CODES = 4096;

/**
 * TIFF's LZW (TIFF 6.0, section 13): codes of 9 to 12 bits, most significant bit first, width raised one code early.
 * Decodes at most `expectedBytes`; a stream that ends sooner leaves the rest 0, as libtiff does only for the last row,
 * so it throws CodecError here. Throws CodecError for codes that were never defined.
 */
export function decodeLzw(stream: Uint8Array, expectedBytes: number): Uint8Array {
  const out = new Uint8Array(expectedBytes);
  const prefix = new Int16Array(MAX_CODES);
  const suffix = new Uint8Array(MAX_CODES);
  const length = new Uint16Array(MAX_CODES);
  for (let code = 0; code < 256; code++) {
    suffix[code] = code;
    length[code] = 1;
    prefix[code] = -1;
  }
  let next = END + 1;
  let width = 9;
  let previous = -1;
  let bits = 0;
  let bitCount = 0;
  let inAt = 0;
  let outAt = 0;
  while (outAt < expectedBytes) {
    while (bitCount < width) {
      if (inAt >= stream.length) throw new CodecError(`LZW stream ends after ${outAt} of ${expectedBytes} bytes`);
      bits = ((bits << 8) | (stream[inAt++] ?? 0)) & 0xffffff;
      bitCount += 8;
    }
    const code = (bits >> (bitCount - width)) & ((1 << width) - 1);
    bitCount -= width;
    if (code === END) throw new CodecError(`LZW stream ends after ${outAt} of ${expectedBytes} bytes`);
    if (code === CLEAR) {
      next = END + 1;
      width = 9;
      previous = -1;
      continue;
    }
    if (code > next || (code === next && previous < 0) || (code > END && previous < 0)) {
      throw new CodecError(`LZW code ${code} was never defined`);
    }
    // A code that is being defined right now stands for the previous string and its own first byte.
    const known = code < next ? code : previous;
    const size = (length[known] ?? 1) + (code < next ? 0 : 1);
    let cursor = known;
    let writeAt = outAt + (length[known] ?? 1) - 1;
    let first = 0;
    while (cursor >= 0) {
      first = suffix[cursor] ?? 0;
      if (writeAt < expectedBytes) out[writeAt] = first;
      writeAt--;
      cursor = prefix[cursor] ?? -1;
    }
    if (code >= next && outAt + size - 1 < expectedBytes) out[outAt + size - 1] = first;
    outAt += size;
    if (previous >= 0 && next < MAX_CODES) {
      prefix[next] = previous;
      suffix[next] = first;
      length[next] = (length[previous] ?? 0) + 1;
      next++;
      if (next + 1 >= 1 << width && width < 12) width++;
    }
    previous = code;
  }
  return out;
}
