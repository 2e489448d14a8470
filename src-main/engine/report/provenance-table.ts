import type { Content, TableCell } from 'pdfmake/interfaces.js';
import type { InputSpec } from '../../../src-shared/model/backbone.ts';
import { inputEditText, pixelText, refusedText, resizeText, stainText } from '../../../src-shared/model/input-text.ts';
import { reproducibilityText } from '../../../src-shared/model/reproducibility.ts';
import type { NormalisationKey } from '../../../src-shared/model/stain.ts';
import { MONO_FONT } from './fonts.ts';
import type { ReportInput } from './report-input.ts';
import { COLOUR, SIZE } from './report-style.ts';
import { areaText, bytesText, dateText, durationText, grouped, originText, plural, rounded } from './wording.ts';

/** A row of the table of what made a report. `mono`: hashes and ids, which must not be mistaken or broken up. */
export interface Fact {
  readonly label: string;
  readonly value: string;
  readonly mono?: boolean;
}

export interface FactGroup {
  readonly title: string;
  readonly facts: readonly Fact[];
}

/** Everything that made the result, grouped, in plain words. */
export function factGroups(input: ReportInput): readonly FactGroup[] {
  return [slideFacts(input), backboneFacts(input), gridFacts(input), computationFacts(input), softwareFacts(input)];
}

export function pixelSizeText(input: ReportInput): string {
  const { mppUm, mppSource } = input.run.provenance;
  if (mppSource === 'unknown') return 'not known: lengths are in level-0 pixels';
  return `${rounded(mppUm, 4)} µm per pixel (${mppSource === 'file' ? 'from the file' : 'entered by the user'})`;
}

export function slideSizeText({ slide, run }: ReportInput): string {
  const { widthPx, heightPx } = slide.info;
  const mm = (px: number) => rounded((px * run.provenance.mppUm) / 1000);
  return `${grouped(widthPx)} × ${grouped(heightPx)} px (${mm(widthPx)} × ${mm(heightPx)} mm)`;
}

export function tilesText({ grid, run }: ReportInput): string {
  const { tileUm, mpp } = run.provenance.grid;
  return `${plural(grid.tileCount, 'tile')} of ${rounded(tileUm)} µm at ${rounded(mpp)} µm per pixel`;
}

function slideFacts(input: ReportInput): FactGroup {
  const { slide, run } = input;
  const { info } = slide;
  const facts: Fact[] = [
    { label: 'Fingerprint', value: run.slideId, mono: true },
    { label: 'Size', value: `${slideSizeText(input)}, ${bytesText(slide.sizeBytes)}` },
    { label: 'Levels', value: info.levels.map((level) => `${rounded(level.downsample)}×`).join(', ') },
    { label: 'Pixel size', value: pixelSizeText(input) },
    { label: 'Objective', value: info.objective === null ? 'not stated in the file' : `${rounded(info.objective)}×` },
    { label: 'Format', value: `${info.vendor}, ${info.compression}; reader: ${run.provenance.slideReader}` },
    { label: 'Colour profile', value: colourText(input) },
  ];
  if (input.includeSlideName) facts.unshift({ label: 'File name', value: slide.name });
  if (info.warnings.length > 0) facts.push({ label: 'Notes on the file', value: info.warnings.join(' ') });
  return { title: 'Slide', facts };
}

function colourText({ slide, viewedThroughProfile }: ReportInput): string {
  if (!slide.info.hasIccProfile) return 'none in the file';
  const viewed = viewedThroughProfile
    ? 'the viewer was set to show the slide through it'
    : 'the viewer did not apply it';
  return `in the file; ${viewed}; pictures in this report and the backbone’s input have the stored colours`;
}

function backboneFacts({ run }: ReportInput): FactGroup {
  const { provenance } = run;
  return {
    title: 'Backbone',
    facts: [
      { label: 'Name', value: provenance.backboneName },
      { label: 'SHA-256', value: provenance.backboneId, mono: true },
      { label: 'Origin', value: originText(provenance.backboneOrigin) },
      { label: 'Cut', value: `${provenance.cut} (${grouped(provenance.featureDim)} features a tile)` },
    ],
  };
}

function gridFacts(input: ReportInput): FactGroup {
  const { run, grid } = input;
  const { provenance } = run;
  const { tissue, grid: spec } = provenance;
  const threshold =
    tissue.saturationThreshold === null ? 'by Otsu’s method on this slide' : rounded(tissue.saturationThreshold);
  return {
    title: 'Tissue and tiles',
    facts: [
      { label: 'Tiles', value: `${tilesText(input)}, every ${rounded(spec.strideUm)} µm` },
      {
        label: 'Left out',
        value: `${plural(grid.droppedCount, 'tile')} with less than ${rounded(100 * spec.minTissueFraction)} % tissue`,
      },
      { label: 'Grid', value: provenance.gridId, mono: true },
      {
        label: 'Tissue mask',
        value:
          `at ${rounded(tissue.maskMpp)} µm per pixel; saturation threshold ${threshold}; ` +
          `specks below ${areaText(tissue.minTissueUm2)} dropped, holes below ${areaText(tissue.maxHoleUm2)} filled`,
      },
      { label: 'Stain normalisation', value: stainText(provenance.normalisation) },
    ],
  };
}

function computationFacts({ run }: ReportInput): FactGroup {
  const { provenance } = run;
  return {
    title: 'Computation',
    facts: [
      { label: 'Run', value: run.id, mono: true },
      { label: 'Device', value: [provenance.device, provenance.deviceDetail].filter((part) => part !== '').join(', ') },
      ...(provenance.deviceRefused === undefined || provenance.deviceRefused.length === 0
        ? []
        : [{ label: 'Devices not used', value: refusedText(provenance.deviceRefused) }]),
      ...(provenance.input === undefined
        ? []
        : [{ label: 'Network input', value: inputText(provenance.input, provenance.normalisation) }]),
      { label: 'Repeatable', value: reproducibilityText(provenance) },
      {
        label: 'Settings',
        value:
          `${provenance.precision}, batches of ${provenance.batchSize}, ` +
          `${plural(provenance.threads, 'thread')}, seed ${provenance.seed}`,
      },
      {
        label: 'Features read',
        value:
          `${plural(run.tilesDone, 'tile')} in ${durationText(run.secondsSpent)}` +
          (run.finishedAtMs === null ? '' : `, finished ${dateText(run.finishedAtMs)}`),
      },
    ],
  };
}

function softwareFacts({ appVersion, run, createdAtMs }: ReportInput): FactGroup {
  const versions = Object.entries(run.provenance.versions)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, version]) => `${name} ${version}`);
  return {
    title: 'Software',
    facts: [
      { label: 'Report made by', value: `Hyaline ${appVersion}, ${dateText(createdAtMs)}` },
      { label: 'Features made by', value: versions.join(', ') || 'not recorded' },
    ],
  };
}

/** A group as a table; `valueCell` prints values that may need more than plain text. */
export function factTable(
  group: FactGroup,
  labelWidth: number,
  valueCell: (fact: Fact) => Content = plainValue,
): Content {
  const head: TableCell[] = [
    { text: group.title, bold: true, fontSize: SIZE.body, color: COLOUR.accent, colSpan: 2, marginTop: 2 },
    {},
  ];
  const rows = group.facts.map((fact): TableCell[] => [
    { text: fact.label, color: COLOUR.quiet, fontSize: SIZE.small + 0.5 },
    valueCell(fact) as TableCell,
  ]);
  return {
    table: { widths: [labelWidth, '*'], body: [head, ...rows], dontBreakRows: true },
    layout: FACT_LAYOUT,
    unbreakable: true,
    margin: [0, 0, 0, 9],
  };
}

export function plainValue({ value, mono }: Fact): Content {
  return mono === true
    ? { text: value, font: MONO_FONT, fontSize: SIZE.tiny, wordBreak: 'break-all', marginTop: 1 }
    : { text: value, fontSize: SIZE.small + 0.5 };
}

export const FACT_LAYOUT = {
  hLineWidth: (row: number) => (row === 0 ? 0 : 0.5),
  vLineWidth: () => 0,
  hLineColor: () => COLOUR.rule,
  paddingLeft: () => 0,
  paddingRight: () => 6,
  paddingTop: () => 2.5,
  paddingBottom: () => 2.5,
};

/** How tiles became the network's input, and whether the user had changed that. */
function inputText(input: InputSpec, key: NormalisationKey): string {
  return [resizeText(input), pixelText(input), inputEditText(key)].filter((part) => part !== '').join('; ');
}
