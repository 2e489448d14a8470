const clampTable = new Uint8ClampedArray(1);

/** Full-range BT.601 YCbCr to RGB in place, rounded as libjpeg does (JFIF 1.02). */
export function ycbcrToRgb(data: Uint8Array): void {
  for (let at = 0; at + 2 < data.length; at += 3) {
    const y = data[at] ?? 0;
    const cb = (data[at + 1] ?? 0) - 128;
    const cr = (data[at + 2] ?? 0) - 128;
    data[at] = clamp(y + 1.402 * cr);
    data[at + 1] = clamp(y - 0.344136286 * cb - 0.714136286 * cr);
    data[at + 2] = clamp(y + 1.772 * cb);
  }
}

function clamp(value: number): number {
  clampTable[0] = value;
  return clampTable[0] ?? 0;
}
