import { COLOUR_TABLES } from './colour-tables.ts';

/** 8-bit sRGB. */
export type Rgb = readonly [number, number, number];

/** Maps whose lightness rises evenly with the value: what a reader sees is what the numbers say. */
export const COLOUR_MAPS = ['inferno', 'plasma', 'magma', 'viridis', 'cividis'] as const;

/** Offered for comparison with older figures only: uneven lightness invents edges (jet) or hides the ends (coolwarm). */
export const LEGACY_COLOUR_MAPS = ['coolwarm', 'jet'] as const;

export type ColourMapName = (typeof COLOUR_MAPS)[number] | (typeof LEGACY_COLOUR_MAPS)[number];

export const DEFAULT_COLOUR_MAP: ColourMapName = 'inferno';

/** True for a name `colourMapRgb` knows: for settings and requests that come as text. */
export function isColourMapName(name: string): name is ColourMapName {
  return Object.hasOwn(COLOUR_TABLES, name);
}

const LUT_SIZE = 256;
const tables = new Map<ColourMapName, Uint8Array>();

/** The map as 256 x RGB bytes, row t covers [t/256, (t+1)/256). Shared: do not write into it. */
export function colourTable(name: ColourMapName): Uint8Array {
  const cached = tables.get(name);
  if (cached !== undefined) return cached;
  const hex = COLOUR_TABLES[name];
  const table = new Uint8Array(LUT_SIZE * 3);
  for (let i = 0; i < table.length; i++) table[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  tables.set(name, table);
  return table;
}

/** Row of a 256-entry table for t in 0..1 (clamped; NaN counts as 0), as matplotlib's Colormap does it. */
export function colourIndex(t: number): number {
  if (!(t > 0)) return 0;
  return Math.min(LUT_SIZE - 1, Math.floor(t * LUT_SIZE));
}

/** Colour of t in 0..1 on a map; equals matplotlib's to the byte. */
export function colourMapRgb(name: ColourMapName, t: number): Rgb {
  return tableRgb(colourTable(name), colourIndex(t));
}

/** Colour i of a packed RGB table. */
function tableRgb(table: Uint8Array, i: number): Rgb {
  return [table[3 * i] ?? 0, table[3 * i + 1] ?? 0, table[3 * i + 2] ?? 0];
}

/**
 * Twelve category colours, the first k as far apart as a greedy search finds: the smallest CIEDE2000 difference of
 * any pair under normal, protan, deutan and tritan vision (Machado et al. 2009, full severity) is 40 for three colours,
 * 16 for six, 11.8 for all twelve. All are strongly coloured, so that none is taken for the grey slide underneath.
 */
export const CATEGORY_COLOURS: readonly Rgb[] = [
  [0x00, 0x72, 0xb2],
  [0xe6, 0x9f, 0x00],
  [0x77, 0x33, 0x00],
  [0x00, 0xee, 0xff],
  [0xdd, 0x22, 0x55],
  [0x88, 0x99, 0xff],
  [0xcc, 0xee, 0x99],
  [0x44, 0xbb, 0x88],
  [0x44, 0x00, 0xdd],
  [0xbb, 0x66, 0x88],
  [0xaa, 0x33, 0x77],
  [0xff, 0xdd, 0x00],
];

/** Colour of category i; repeats after twelve. */
export function categoryRgb(i: number): Rgb {
  const n = CATEGORY_COLOURS.length;
  return CATEGORY_COLOURS[((i % n) + n) % n] ?? [0, 0, 0];
}
