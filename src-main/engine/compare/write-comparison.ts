import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import type { Comparison } from '../../../src-shared/model/comparison.ts';
import { ckaFigures, fineTuneSvg } from './cka-svg.ts';
import { ckaCsv, controlsCsv, fineTunedCsv, mapsCsv, pairsCsv, robustnessCsv, scoresCsv } from './comparison-csv.ts';
import { layersSvg, mapFigures, robustnessFigures } from './figures-svg.ts';
import { comparisonMarkdown } from './markdown.ts';
import { ranksSvg } from './ranks-svg.ts';
import { truncationFiles } from './truncation.ts';

/** Every figure of a comparison, by file name: SVG that holds its formulas, seeds and folds. */
export function comparisonFigures(comparison: Comparison): readonly (readonly [string, string])[] {
  const { cka, fineTuned = [] } = comparison;
  const figures: (readonly [string, string | null])[] = [['ranks.svg', ranksSvg(comparison)]];
  for (const task of comparison.tasks) {
    const robustness = robustnessFigures(comparison, task);
    figures.push([`layers-${safe(task.task)}.svg`, layersSvg(comparison, task)]);
    figures.push([`robustness-${safe(task.task)}.svg`, robustness?.score ?? null]);
    figures.push([`moves-${safe(task.task)}.svg`, robustness?.moves ?? null]);
  }
  for (const [slide, svg] of mapFigures(comparison)) figures.push([`maps-${safe(slide)}.svg`, svg]);
  if (cka !== null) {
    for (const [name, svg] of ckaFigures(cka)) figures.push([`${name}.svg`, svg]);
    for (const change of fineTuned) figures.push([`cka-tuned-${safe(change.after)}.svg`, fineTuneSvg(change, cka)]);
  }
  return figures.flatMap(([name, svg]) => (svg === null ? [] : [[name, svg] as const]));
}

function safe(name: string): string {
  return name.replaceAll(/[^\w.-]/g, '_');
}

/**
 * Writes a comparison into a folder (made if it is not there) and returns the names of its files: `comparison.json`,
 * `comparison.md`, tables as CSV, figures as SVG and PNG; of a truncation study its own table and figure besides.
 */
export async function writeComparison(comparison: Comparison, folder: string): Promise<readonly string[]> {
  const files: (readonly [string, string])[] = [
    ['comparison.json', `${JSON.stringify(comparison, null, 2)}\n`],
    ['comparison.md', comparisonMarkdown(comparison)],
    ['scores.csv', scoresCsv(comparison)],
    ['pairs.csv', pairsCsv(comparison)],
    ['controls.csv', controlsCsv(comparison)],
    ...comparisonFigures(comparison),
    ...(comparison.truncation === undefined ? [] : truncationFiles(comparison.truncation)),
  ];
  const optional = [
    ['robustness.csv', robustnessCsv(comparison)],
    ['maps.csv', mapsCsv(comparison)],
    ['cka.csv', ckaCsv(comparison)],
    ['cka-tuned.csv', fineTunedCsv(comparison)],
  ] as const;
  for (const [name, text] of optional) if (text !== null) files.push([name, text]);
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
