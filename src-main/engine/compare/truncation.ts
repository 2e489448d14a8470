import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import type { Comparison } from '../../../src-shared/model/comparison.ts';
import type { Study } from '../../../src-shared/model/study.ts';
import type { TruncationRow, TruncationScore, TruncationStudy } from '../../../src-shared/model/truncation.ts';
import { csvLine } from '../interop/csv.ts';
import type { CompareBackbone } from './contenders.ts';
import { markdownTable } from './markdown.ts';
import { truncationSvg } from './truncation-svg.ts';

/** One backbone with what its cuts cost and the trained study of each. */
export interface TruncatedBackbone {
  readonly backbone: CompareBackbone;
  /** Of one tile, by cut. */
  readonly msPerTile: readonly number[];
  readonly studies: readonly Study[];
}

/**
 * The table of a truncation study: every cut of every backbone, attention pooling on slides beside probes on patches,
 * with parameters, FLOPs and measured seconds. Source: Sharma et al. 2021 (HistoTransfer), which truncates ResNet18 and
 * DenseNet121 block by block.
 * @param patches a comparison of the same backbones at the same cuts; null = no patch tasks were given.
 */
export function truncationStudy(
  truncated: readonly TruncatedBackbone[],
  tilesPerSlide: number,
  patches: Comparison | null,
): TruncationStudy {
  const first = truncated[0]?.studies[0];
  const slideFigure = (first?.outcome?.classes.length ?? 2) === 2 ? 'AUC' : 'balanced accuracy';
  const rows = truncated.flatMap(({ backbone, msPerTile, studies }, b) =>
    backbone.cuts.map((cut, c): TruncationRow => {
      const ms = msPerTile[c] ?? Number.NaN;
      return {
        backbone: backbone.card.name,
        architecture: backbone.card.architecture,
        origin: backbone.card.origin,
        cut: cut.name,
        featureDim: cut.featureDim,
        parameters: cut.cumulativeParameters,
        flops: cut.cumulativeFlops,
        msPerTile: ms,
        secondsPerSlide: (ms * tilesPerSlide) / 1000,
        slides: slideScore(studies[c], slideFigure),
        studyId: studies[c]?.id ?? null,
        patches: (patches?.tasks ?? []).map((task) => patchScore(task.backbones[b]?.cuts[c])),
      };
    }),
  );
  const plan = first?.plan;
  return {
    slideFigure,
    slideCount: plan?.rows.length ?? 0,
    patientCount: new Set(plan?.rows.map(({ patient }) => patient)).size,
    tilesPerSlide,
    tasks: (patches?.tasks ?? []).map(({ task, metric, chance }) => ({ task, metric, chance })),
    rows,
    notes: notesOf(truncated, patches),
  };
}

function slideScore(study: Study | undefined, name: string): TruncationScore {
  const figure = study?.outcome?.figures.find((it) => it.name === name);
  return { value: figure?.value ?? null, low: figure?.low ?? null, high: figure?.high ?? null };
}

function patchScore(cut: { score: number; low: number | null; high: number | null } | undefined): TruncationScore {
  return { value: cut?.score ?? null, low: cut?.low ?? null, high: cut?.high ?? null };
}

function notesOf(truncated: readonly TruncatedBackbone[], patches: Comparison | null): readonly string[] {
  const random = truncated.filter(({ backbone }) => backbone.card.origin === 'random');
  const names = random.map(({ backbone }) => backbone.card.name).join(', ');
  const mechanics =
    random.length === 0
      ? []
      : [
          `Mechanics only: ${names} ${random.length === 1 ? 'has' : 'have'} random weights. Nothing can be concluded about ` +
            'what a trained network keeps when it is truncated.',
        ];
  const plan = truncated[0]?.studies[0]?.plan;
  const splitting = plan === undefined ? '' : splittingText(plan);
  const pooled =
    plan === undefined
      ? []
      : [`Slides: ${plan.pooling} pooling, ${splitting}; ${plan.epochs} epochs; 95 % bootstrap over patients.`];
  const optimistic =
    plan?.patientsUnknown === true
      ? ['No patients are named: slides are treated as independent, which is optimistic.']
      : [];
  return [
    ...mechanics,
    'Each cut is pooled by its card (global average for feature maps); cuts of one backbone share tiles, folds and seeds. Sharma et al. 2021.',
    ...pooled,
    ...optimistic,
    ...(patches === null ? [] : patches.formulas.slice(0, 3)),
    'Seconds per slide: the network alone up to the cut, on this machine, times the mean number of tiles.',
  ];
}

function splittingText({ splitting, splitSeed, seeds }: Study['plan']): string {
  const parts = splitting.kind === 'folds' ? `${splitting.folds} folds` : splitting.kind;
  return `${parts} of whole patients (seed ${splitSeed}), training seeds ${seeds.join(', ')}`;
}

export function truncationMarkdown(study: TruncationStudy): string {
  const { rows, tasks, slideFigure, slideCount, patientCount, tilesPerSlide, notes } = study;
  const header = [
    ...['backbone', 'cut', 'features', 'parameters', 'MFLOPs/tile', 's/slide', `slides (${slideFigure}, %)`],
    ...tasks.map(({ task, metric }) => `${task} (${metric}, %)`),
  ];
  const lines = rows.map((row) => [
    ...[row.backbone, row.cut, String(row.featureDim), row.parameters.toLocaleString('en')],
    ...[(row.flops / 1e6).toFixed(0), row.secondsPerSlide.toFixed(2), scoreText(row.slides)],
    ...row.patches.map(scoreText),
  ]);
  const about = `${slideCount} slides of ${patientCount} patients, ${tilesPerSlide.toFixed(0)} tiles a slide.`;
  const body = markdownTable(header, lines);
  return `# Truncation study\n\n${about}\n\n${notes.map((note) => `- ${note}`).join('\n')}\n\n${body}\n`;
}

export function truncationCsv({ rows, tasks, slideFigure }: TruncationStudy): string {
  const header = [
    ...[
      'backbone',
      'architecture',
      'origin',
      'cut',
      'feature_dim',
      'parameters',
      'flops',
      'ms_per_tile',
      's_per_slide',
    ],
    ...[`slides_${slideFigure.replaceAll(' ', '_')}`, 'slides_low95', 'slides_high95'],
    ...tasks.flatMap(({ task, metric }) => [`${task}_${metric}`, `${task}_low95`, `${task}_high95`]),
  ];
  const lines = rows.map((row) => [
    ...[row.backbone, row.architecture, row.origin, row.cut, row.featureDim, row.parameters, row.flops],
    ...[row.msPerTile, row.secondsPerSlide],
    ...[row.slides, ...row.patches].flatMap(({ value, low, high }) => [value ?? '', low ?? '', high ?? '']),
  ]);
  return [header, ...lines].map((line) => `${csvLine(line)}\r\n`).join('');
}

/** Writes the study as JSON, Markdown, CSV, SVG and PNG; returns the names of the files. */
export async function writeTruncation(study: TruncationStudy, folder: string): Promise<readonly string[]> {
  await mkdir(folder, { recursive: true });
  const files = [['truncation.json', `${JSON.stringify(study, null, 2)}\n`] as const, ...truncationFiles(study)];
  for (const [name, text] of files) await writeFile(join(folder, name), text);
  await sharp(Buffer.from(truncationSvg(study)), { density: 144 })
    .png()
    .toFile(join(folder, 'truncation.png'));
  return [...files.map(([name]) => name), 'truncation.png'];
}

/** The study as text, by file name. */
export function truncationFiles(study: TruncationStudy): readonly (readonly [string, string])[] {
  return [
    ['truncation.md', truncationMarkdown(study)],
    ['truncation.csv', truncationCsv(study)],
    ['truncation.svg', truncationSvg(study)],
  ];
}

function scoreText({ value, low, high }: TruncationScore): string {
  const percent = (of: number) => (100 * of).toFixed(1);
  if (value === null) return 'n/a';
  return low === null || high === null ? percent(value) : `${percent(value)} (${percent(low)} to ${percent(high)})`;
}
