/**
 * Seeded random numbers that are the same on every machine: integer arithmetic (sfc32, Chris Doty-Humphrey's
 * PractRand) and IEEE additions, multiplications, divisions and square roots only. Math.log and Math.cos are left out
 * because engines may differ in the last bit, and the bytes of a random network are its identity.
 */
export class RandomStream {
  private a = 0;
  private b = 0;
  private c = 0;
  private counter = 1;
  private spare: number | null = null;

  /** A stream of its own for each (seed, label): what one layer draws never depends on another. */
  constructor(seed: number, label: string) {
    this.a = seed >>> 0;
    this.b = Math.floor(seed / 2 ** 32) >>> 0;
    this.c = hashText(label);
    for (let i = 0; i < 15; i += 1) this.nextUint32();
  }

  nextUint32(): number {
    const sum = (((this.a + this.b) | 0) + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = ((this.c << 21) | (this.c >>> 11)) + sum;
    this.c |= 0;
    return sum >>> 0;
  }

  /** Uniform in the open interval (0, 1). */
  nextUniform(): number {
    return (this.nextUint32() + 0.5) / 2 ** 32;
  }

  /** Standard normal, by Marsaglia's polar method. */
  nextNormal(): number {
    if (this.spare !== null) {
      const value = this.spare;
      this.spare = null;
      return value;
    }
    for (;;) {
      const x = 2 * this.nextUniform() - 1;
      const y = 2 * this.nextUniform() - 1;
      const square = x * x + y * y;
      if (square >= 1 || square === 0) continue;
      const factor = Math.sqrt((-2 * naturalLog(square)) / square);
      this.spare = y * factor;
      return x * factor;
    }
  }

  /** Normal with mean 0, redrawn until it lies within `limit` standard deviations. */
  nextTruncatedNormal(limit: number): number {
    for (;;) {
      const value = this.nextNormal();
      if (Math.abs(value) <= limit) return value;
    }
  }
}

/** FNV-1a over UTF-16 code units. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** ln(x) for x in (0, 1]: halving range reduction, then the series 2 atanh((m - 1) / (m + 1)) to full precision. */
export function naturalLog(x: number): number {
  let mantissa = x;
  let exponent = 0;
  while (mantissa < Math.SQRT1_2) {
    mantissa *= 2;
    exponent -= 1;
  }
  const t = (mantissa - 1) / (mantissa + 1);
  const square = t * t;
  let sum = 0;
  for (let k = 21; k >= 1; k -= 2) sum = sum * square + 1 / k;
  return exponent * Math.LN2 + 2 * t * sum;
}
