/** Mean of the luminance quantisation table of ITU-T T.81, table K.1: quality 50 in the scale of the IJG library. */
const STANDARD_MEAN = 3689 / 64;

/**
 * The quality (1..100, IJG scale) a JPEG file was written with, from the mean of its first quantisation table; 0 where
 * the bytes are no JPEG file or hold no table. Exact to rounding for encoders that scale the standard table.
 */
export function jpegQuality(file: Uint8Array): number {
  if (file[0] !== 0xff || file[1] !== 0xd8) return 0;
  let at = 2;
  while (at + 4 <= file.length && file[at] === 0xff) {
    const marker = file[at + 1] ?? 0;
    const length = (file[at + 2] ?? 0) * 256 + (file[at + 3] ?? 0);
    if (marker === 0xdb) return qualityOf(file.subarray(at + 4, at + 2 + length));
    if (marker === 0xda) return 0;
    at += 2 + length;
  }
  return 0;
}

function qualityOf(table: Uint8Array): number {
  const wide = (table[0] ?? 0) >> 4 === 1;
  let sum = 0;
  for (let i = 0; i < 64; i++) {
    sum += wide ? (table[1 + 2 * i] ?? 0) * 256 + (table[2 + 2 * i] ?? 0) : (table[1 + i] ?? 0);
  }
  const percent = (100 * (sum / 64)) / STANDARD_MEAN;
  const quality = percent <= 100 ? (200 - percent) / 2 : 5000 / percent;
  return Math.min(100, Math.max(1, Math.round(quality)));
}
