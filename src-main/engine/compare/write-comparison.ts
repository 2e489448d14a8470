import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import type { Comparison } from '../../../src-shared/model/comparison.ts';
import { ckaCsv, controlsCsv, pairsCsv, robustnessCsv, scoresCsv } from './comparison-csv.ts';
import { ckaSvg, layersSvg } from './figures-svg.ts';
import { comparisonMarkdown } from './markdown.ts';

/**
 * Writes a comparison into a folder (made if it is not there) and returns the names of its files: `comparison.json`,
 * `comparison.md`, tables as CSV, figures as SVG and PNG.
 */
export async function writeComparison(comparison: Comparison, folder: string): Promise<readonly string[]> {
  const cka = ckaCsv(comparison);
  const files: (readonly [string, string])[] = [
    ['comparison.json', `${JSON.stringify(comparison, null, 2)}\n`],
    ['comparison.md', comparisonMarkdown(comparison)],
    ['scores.csv', scoresCsv(comparison)],
    ['pairs.csv', pairsCsv(comparison)],
    ['controls.csv', controlsCsv(comparison)],
    ...comparison.tasks.map(
      (task) => [`layers-${task.task.replaceAll(/[^\w.-]/g, '_')}.svg`, layersSvg(task)] as const,
    ),
  ];
  const robustness = robustnessCsv(comparison);
  if (robustness !== null) files.push(['robustness.csv', robustness]);
  if (cka !== null) files.push(['cka.csv', cka]);
  if (comparison.cka !== null) files.push(['cka.svg', ckaSvg(comparison.cka)]);
  await mkdir(folder, { recursive: true });
  for (const [name, text] of files) await writeFile(join(folder, name), text);
  const figures = files.filter(([name]) => name.endsWith('.svg'));
  const pngs: string[] = [];
  for (const [name, text] of figures) {
    const png = name.replace(/\.svg$/, '.png');
    await sharp(Buffer.from(text), { density: 144 }).png().toFile(join(folder, png));
    pngs.push(png);
  }
  return [...files.map(([name]) => name), ...pngs];
}
