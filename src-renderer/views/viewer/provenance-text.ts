import { inputEditText, pixelText, refusedText, resizeText, stainText } from '../../../src-shared/model/input-text.ts';
import { reproducibilityText } from '../../../src-shared/model/reproducibility.ts';
import type { Run } from '../../../src-shared/model/run.ts';
import type { Slide } from '../../../src-shared/model/slide.ts';
import { formatCount, formatDuration, formatNumber } from '../../state/format.ts';

export interface ProvenanceRow {
  readonly name: string;
  readonly value: string;
  /** True for hashes. */
  readonly mono: boolean;
}

/** What made a run, row by row, in words. */
export function provenanceRows(run: Run, slide: Pick<Slide, 'id' | 'info'>): readonly ProvenanceRow[] {
  const { provenance: made } = run;
  const { grid, tissue } = made;
  const threshold = tissue.saturationThreshold === null ? 'Otsu’s' : formatNumber(tissue.saturationThreshold);
  const overlap = Math.round((1 - grid.strideUm / grid.tileUm) * 100);
  const speed = run.secondsSpent > 0 ? `, ${formatNumber(run.tilesDone / run.secondsSpent)} tiles/s` : '';
  const row = (name: string, value: string, mono = false): ProvenanceRow => ({ name, value, mono });
  return [
    row('Slide (fingerprint)', slide.id, true),
    row('Reader', `${made.slideReader} (${slide.info.vendor})`),
    row(
      'Pixel size',
      made.mppSource === 'unknown'
        ? 'Not known: lengths are in level-0 pixels'
        : `${made.mppUm} µm/px, ${made.mppSource === 'user' ? 'set by the user' : 'from the file'}`,
    ),
    row('Backbone', `${made.backboneName}, ${made.backboneOrigin} weights`),
    row('Backbone (SHA-256)', made.backboneId, true),
    row('Cut', `${made.cut}, ${formatCount(made.featureDim)} features`),
    row('Tiles', `${formatCount(run.tilesDone)} of ${formatCount(run.tileCount)}`),
    row('Grid', `${grid.tileUm} µm tiles at ${grid.mpp} µm/px, ${overlap > 0 ? `${overlap} % overlap` : 'no overlap'}`),
    row('Least tissue in a tile', `${Math.round(grid.minTissueFraction * 100)} %`),
    row(
      'Tissue mask',
      `at ${tissue.maskMpp} µm/px, saturation threshold ${threshold}, pieces from ${formatCount(tissue.minTissueUm2)} µm², holes up to ${formatCount(tissue.maxHoleUm2)} µm² filled`,
    ),
    row('Stain normalisation', stainText(made.normalisation)),
    ...(made.input === undefined
      ? []
      : [
          row('Network input', [resizeText(made.input), inputEditText(made.normalisation)].filter(Boolean).join('; ')),
          row('Pixel values', pixelText(made.input)),
        ]),
    row('Precision', made.precision),
    row('Device', made.deviceDetail === '' ? made.device : `${made.device}: ${made.deviceDetail}`),
    ...(made.deviceRefused === undefined || made.deviceRefused.length === 0
      ? []
      : [row('Devices not used', refusedText(made.deviceRefused))]),
    row('Repeatable', reproducibilityText(made)),
    row('Batch and threads', `${made.batchSize} tiles, ${made.threads} ${made.threads === 1 ? 'thread' : 'threads'}`),
    row('Time', `${formatDuration(run.secondsSpent)}${speed}`),
    row('Seed', String(made.seed)),
    ...Object.entries(made.versions).map(([name, version]) => row(name, version)),
  ];
}
