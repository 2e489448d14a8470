import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  CATEGORY_COLOURS,
  COLOUR_MAPS,
  type ColourMapName,
  categoryRgb,
  colourMapRgb,
  isColourMapName,
  LEGACY_COLOUR_MAPS,
  type Rgb,
} from './colour-maps.ts';

interface Golden {
  readonly t: readonly number[];
  readonly rgb: Readonly<Record<string, readonly Rgb[]>>;
}

const golden = JSON.parse(readFileSync(new URL('./colour-maps.golden.json', import.meta.url), 'utf8')) as Golden;
const allMaps: readonly ColourMapName[] = [...COLOUR_MAPS, ...LEGACY_COLOUR_MAPS];

function linear(byte: number): number {
  const c = byte / 255;
  return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
}

type Matrix = readonly (readonly [number, number, number])[];

const times = (m: Matrix, v: readonly number[]): number[] =>
  m.map((row) => row.reduce((sum, x, i) => sum + x * (v[i] ?? 0), 0));

/** CIE Lab under D65 from linear RGB. */
function lab(rgb: readonly number[]): readonly [number, number, number] {
  const xyz = times(
    [
      [0.4124564 / 0.95047, 0.3575761 / 0.95047, 0.1804375 / 0.95047],
      [0.2126729, 0.7151522, 0.072175],
      [0.0193339 / 1.08883, 0.119192 / 1.08883, 0.9503041 / 1.08883],
    ],
    rgb.map((c) => Math.min(1, Math.max(0, c))),
  );
  const [x = 0, y = 0, z = 0] = xyz.map((v) => (v > 0.008856 ? Math.cbrt(v) : 7.787 * v + 16 / 116));
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

/** Machado, Oliveira, Fernandes 2009, severity 1.0. */
const VISION: Readonly<Record<string, Matrix>> = {
  normal: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protan: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deutan: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritan: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

describe('colour maps', () => {
  it.each(allMaps)('%s gives matplotlib’s colours', (name) => {
    expect(golden.t.map((t) => colourMapRgb(name, t))).toEqual(golden.rgb[name]);
  });

  it('clamps, and takes NaN for the lowest', () => {
    expect(colourMapRgb('viridis', -3)).toEqual(colourMapRgb('viridis', 0));
    expect(colourMapRgb('viridis', Number.NaN)).toEqual(colourMapRgb('viridis', 0));
    expect(colourMapRgb('viridis', 7)).toEqual([0xfd, 0xe7, 0x25]);
  });

  it.each(COLOUR_MAPS)('%s grows lighter all the way; the legacy maps do not', (name) => {
    const lightness = (map: ColourMapName) =>
      Array.from({ length: 64 }, (_, i) => lab(colourMapRgb(map, i / 63).map(linear))[0]);
    const falls = (values: number[]) => values.filter((v, i) => i > 0 && v < (values[i - 1] ?? 0) - 0.3).length;
    expect(falls(lightness(name))).toBe(0);
    expect(falls(lightness('jet'))).toBeGreaterThan(5);
  });

  it('knows its names and no others', () => {
    expect(allMaps.every(isColourMapName)).toBe(true);
    expect(isColourMapName('toString')).toBe(false);
    expect(isColourMapName('Inferno')).toBe(false);
  });
});

describe('category colours', () => {
  it.each(Object.entries(VISION))('stay apart under %s vision', (_name, matrix) => {
    const labs = CATEGORY_COLOURS.map((rgb) => lab(times(matrix, rgb.map(linear))));
    const nearest = labs.map((a, i) =>
      Math.min(...labs.slice(0, i).map((b) => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]))),
    );
    expect(Math.min(...nearest)).toBeGreaterThan(12);
    expect(Math.min(...nearest.slice(0, 6))).toBeGreaterThan(18);
  });

  it('repeats after twelve', () => {
    expect(categoryRgb(12)).toEqual(categoryRgb(0));
    expect(categoryRgb(-1)).toEqual(categoryRgb(11));
  });
});
