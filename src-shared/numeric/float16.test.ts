import { describe, expect, it } from 'vitest';
import { fromHalf, HALF_LIMIT, halvesToFloats, toHalf, toHalves } from './float16.ts';
import { seededRandom } from './random.ts';

/** The runtime's own conversion (ECMAScript 2025), written by nobody here; older runtimes have none. */
const { f16round } = Math as { f16round?: (value: number) => number };

describe('float16', () => {
  it('gives every pattern back', () => {
    for (let bits = 0; bits < 65_536; bits++) {
      const value = fromHalf(bits);
      if (Number.isNaN(value)) expect(Number.isNaN(fromHalf(toHalf(value)))).toBe(true);
      else if (toHalf(value) !== bits) expect.unreachable(`pattern ${bits} came back as ${toHalf(value)}`);
    }
  });

  it.skipIf(f16round === undefined)('rounds as the runtime does, at ties and edges too', () => {
    const random = seededRandom(7);
    const values = [0, -0, 65_504, HALF_LIMIT, HALF_LIMIT - 1 / 256, 2 ** -24, 2 ** -25, 2 ** -25 * 1.0001, 1e-10];
    for (let bits = 0; bits < 0x7c00; bits += 3) values.push((fromHalf(bits) + fromHalf(bits + 1)) / 2);
    for (let i = 0; i < 100_000; i++) values.push((random() - 0.5) * 2 ** Math.floor(random() * 44 - 26));
    for (const value of values.map(Math.fround)) {
      for (const signed of [value, -value]) {
        if (!Object.is(fromHalf(toHalf(signed)), f16round?.(signed))) expect.unreachable(`${signed}`);
      }
    }
  });

  it('names the largest number that stays finite', () => {
    expect(fromHalf(toHalf(HALF_LIMIT - 0.01))).toBe(65_504);
    expect(fromHalf(toHalf(HALF_LIMIT))).toBe(Number.POSITIVE_INFINITY);
  });

  it('reads the bytes it wrote, from any offset', () => {
    const values = Float32Array.of(1.5, -2, 0.333_251_953_125);
    const bytes = new Uint8Array(7);
    bytes.set(new Uint8Array(toHalves(values).buffer), 1);
    const out = new Float32Array(3);
    halvesToFloats(bytes.subarray(1), out);
    expect(out).toEqual(values);
  });
});
