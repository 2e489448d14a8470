import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import type { Comparison } from '../../../src-shared/model/comparison.ts';
import type { Study } from '../../../src-shared/model/study.ts';
import type { TruncationRow, TruncationScore, TruncationStudy } from '../../../src-shared/model/truncation.ts';
import { csvLine } from '../interop/csv.ts';
import type { CompareBackbone } from './contenders.ts';
import { markdownTable } from './markdown.ts';
import { sampleColours } from './svg-colours.ts';
import { svgDot, svgFigure, svgLine, svgPolyline, svgText } from './svg-parts.ts';

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

/** Score against parameters (log scale): slides as solid lines, each patch task dashed. */
export function truncationSvg({ rows, tasks, slideFigure, notes }: TruncationStudy): string {
  const [width, height, left, top, right, bottom] = [780, 420, 56, 40, 260, 48];
  const names = [...new Set(rows.map(({ backbone }) => backbone))];
  const series = [`slides (${slideFigure})`, ...tasks.map(({ task, metric }) => `${task} (${metric})`)];
  const scoreOf = (row: TruncationRow, s: number) => (s === 0 ? row.slides : row.patches[s - 1])?.value ?? null;
  const values = rows.flatMap((row) => series.flatMap((_, s) => scoreOf(row, s) ?? []));
  const low = Math.max(0, Math.floor(10 * Math.min(0.5, ...values)) / 10);
  const logs = rows.map(({ parameters }) => Math.log10(Math.max(1, parameters)));
  const [least, most] = [Math.floor(Math.min(...logs)), Math.ceil(Math.max(...logs))];
  const x = (parameters: number) =>
    left + ((width - left - right) * (Math.log10(Math.max(1, parameters)) - least)) / Math.max(1, most - least);
  const y = (score: number) => top + (height - top - bottom) * (1 - (score - low) / (1 - low));
  const title = 'Truncation: score of every cut against its parameters';
  const parts = [svgText(8, 20, title, { size: 13 })];
  for (let tick = 0; tick <= 5; tick++) {
    const score = low + ((1 - low) * tick) / 5;
    parts.push(svgLine([left, y(score)], [width - right, y(score)], '#ddd'));
    parts.push(svgText(left - 6, y(score) + 4, (100 * score).toFixed(0), { anchor: 'end' }));
  }
  for (let power = least; power <= most; power++) {
    parts.push(svgText(x(10 ** power), height - bottom + 16, (10 ** power).toLocaleString('en'), { anchor: 'middle' }));
  }
  const colours = sampleColours(names.length * series.length);
  names.forEach((name, n) => {
    series.forEach((of, s) => {
      const at = n * series.length + s;
      const colour = colours[at] ?? '#000';
      const dash = s === 0 ? 'none' : '5 4';
      const own = rows.filter(({ backbone }) => backbone === name).sort((a, b) => a.parameters - b.parameters);
      const points = own.flatMap((row) => {
        const score = scoreOf(row, s);
        return score === null ? [] : [{ row, score, place: [x(row.parameters), y(score)] as const }];
      });
      parts.push(
        svgPolyline(
          points.map(({ place }) => place),
          colour,
          dash,
        ),
      );
      for (const { row, score, place } of points) {
        parts.push(svgDot(place[0], place[1], colour, `${name}@${row.cut}, ${of}: ${(100 * score).toFixed(1)}`));
      }
      const legend = top + 16 * at;
      parts.push(svgLine([width - right + 14, legend], [width - right + 36, legend], colour, { width: 2, dash }));
      parts.push(svgText(width - right + 42, legend + 4, `${name}: ${of}`));
    });
  });
  parts.push(svgText(left, height - 10, 'parameters up to the cut'));
  return svgFigure(width, Math.max(height, top + 16 * names.length * series.length + 20), title, parts, notes);
}

/** Writes the study as JSON, Markdown, CSV, SVG and PNG; returns the names of the files. */
export async function writeTruncation(study: TruncationStudy, folder: string): Promise<readonly string[]> {
  await mkdir(folder, { recursive: true });
  const svg = truncationSvg(study);
  await writeFile(join(folder, 'truncation.json'), `${JSON.stringify(study, null, 2)}\n`);
  await writeFile(join(folder, 'truncation.md'), truncationMarkdown(study));
  await writeFile(join(folder, 'truncation.csv'), truncationCsv(study));
  await writeFile(join(folder, 'truncation.svg'), svg);
  await sharp(Buffer.from(svg), { density: 144 }).png().toFile(join(folder, 'truncation.png'));
  return ['truncation.json', 'truncation.md', 'truncation.csv', 'truncation.svg', 'truncation.png'];
}

function scoreText({ value, low, high }: TruncationScore): string {
  const percent = (of: number) => (100 * of).toFixed(1);
  if (value === null) return 'n/a';
  return low === null || high === null ? percent(value) : `${percent(value)} (${percent(low)} to ${percent(high)})`;
}
