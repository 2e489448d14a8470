import { labelComponents } from '../../tissue/components.ts';

/**
 * What a tile of H&E looks like in numbers, as `histology.golden.py` measures it on a real slide: null where less than
 * 60 % of it is tissue (HSV saturation above 0.1), else the channels' mean, sd and percentiles over tissue pixels, and
 * nuclei (4-connected, 40 to 1500 px, haematoxylin above 0.55 after Ruifrok and Johnston 2001) per mm² of tissue.
 */
export function tileStatistics(
  rgb: Uint8Array,
  widthPx: number,
  heightPx: number,
  mppUm: number,
): Record<string, number> | null {
  const channels: number[][] = [[], [], []];
  const dark = new Uint8Array(widthPx * heightPx);
  for (let at = 0; at < dark.length; at++) {
    const pixel = [rgb[at * 3] ?? 0, rgb[at * 3 + 1] ?? 0, rgb[at * 3 + 2] ?? 0] as const;
    const high = Math.max(...pixel);
    if (high - Math.min(...pixel) > 0.1 * Math.max(high, 1))
      for (const [channel, value] of pixel.entries()) channels[channel]?.push(value);
    if (haematoxylin(...pixel) > 0.55) dark[at] = 1;
  }
  const tissuePx = channels[0]?.length ?? 0;
  if (tissuePx < 0.6 * dark.length) return null;
  const sizes = labelComponents(dark, widthPx, heightPx, 4).pixels;
  const nuclei = sizes.filter((pixels) => pixels >= 40 && pixels <= 1500).length;
  const result: Record<string, number> = { nucleiPerMm2: nuclei / ((tissuePx * mppUm * mppUm) / 1e6) };
  ['red', 'green', 'blue'].forEach((name, channel) => {
    const values = Float64Array.from(channels[channel] ?? []).sort();
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    result[`${name}Mean`] = mean;
    result[`${name}Sd`] = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    for (const percent of [5, 25, 50, 75, 95]) {
      result[`${name}P${percent}`] = values[Math.round((percent / 100) * (values.length - 1))] ?? 0;
    }
  });
  return result;
}

/** First column of the inverse of Ruifrok and Johnston's H, E, DAB matrix with normalised rows. */
const TO_HAEMATOXYLIN = [1.87478745, -0.06579592, -0.60088325] as const;

function haematoxylin(red: number, green: number, blue: number): number {
  const density = (value: number): number => -Math.log10((value + 1) / 256);
  return density(red) * TO_HAEMATOXYLIN[0] + density(green) * TO_HAEMATOXYLIN[1] + density(blue) * TO_HAEMATOXYLIN[2];
}
