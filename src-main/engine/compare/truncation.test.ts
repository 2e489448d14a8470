import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import type { Comparison } from '../../../src-shared/model/comparison.ts';
import type { Study } from '../../../src-shared/model/study.ts';
import { writeLittleNetwork } from './testing.ts';
import { truncationCsv, truncationMarkdown, truncationStudy, writeTruncation } from './truncation.ts';
import { truncationSvg } from './truncation-svg.ts';

/** A study as far as the table reads it. */
const studyOf = (auc: number | null, patientsUnknown = false): Study =>
  ({
    plan: {
      rows: [{ patient: 'a' }, { patient: 'a' }, { patient: 'b' }],
      ...{ pooling: 'histotransfer', splitting: { kind: 'folds', folds: 5, repeats: 1 }, splitSeed: 1, seeds: [1, 2] },
      ...{ epochs: 20, patientsUnknown },
    },
    outcome: {
      classes: ['normal', 'tumour'],
      figures: [{ name: 'AUC', value: auc, low: auc === null ? null : auc - 0.1, high: auc }],
    },
  }) as unknown as Study;

const patches = {
  tasks: [
    {
      ...{ task: 'texture', metric: 'AUC', chance: 0.5 },
      backbones: [
        {
          cuts: [
            { score: 0.8, low: 0.7, high: 0.9 },
            { score: 0.6, low: null, high: null },
          ],
        },
      ],
    },
  ],
  formulas: ['Probe: one', 'Score: two', 'Intervals: three', 'Knowledge gain: four'],
} as unknown as Comparison;

describe('a truncation study', () => {
  it('puts every cut in one table: slides, patches, parameters, FLOPs and seconds a slide', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'hyaline-truncation-'));
    try {
      const backbone = await writeLittleNetwork(folder, 'net', 'imagenet', 1);
      const studies = [studyOf(0.9), studyOf(null)];
      const study = truncationStudy([{ backbone, msPerTile: [2, 4], studies }], 500, patches);
      expect(study).toMatchObject({ slideFigure: 'AUC', slideCount: 3, patientCount: 2 });
      expect(study.rows.map(({ cut, secondsPerSlide }) => [cut, secondsPerSlide])).toEqual([
        ['early', 1],
        ['late', 2],
      ]);
      const markdown = truncationMarkdown(study);
      expect(markdown).toContain('| net | early | 8 | 224 |');
      expect(markdown).toContain('| 90.0 (80.0 to 90.0) | 80.0 (70.0 to 90.0) |');
      expect(markdown).toContain('| n/a | 60.0 |');
      expect(markdown).not.toContain('Mechanics only');
      const lines = truncationCsv(study).trim().split('\r\n');
      expect(new Set(lines.map((line) => line.split(',').length))).toEqual(new Set([15]));
      const svg = truncationSvg(study);
      expect(svg).toContain('net@early, slides (AUC): 90.0');
      expect(svg).not.toContain('NaN');
      const files = await writeTruncation(study, join(folder, 'out'));
      expect(files).toHaveLength(5);
      expect((await sharp(join(folder, 'out', 'truncation.png')).metadata()).format).toBe('png');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('says that random weights prove mechanics only, and that unknown patients are optimistic', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'hyaline-truncation-'));
    try {
      const backbone = await writeLittleNetwork(folder, 'drawn', 'random', 1);
      const studies = [studyOf(0.5, true), studyOf(0.5, true)];
      const { notes, tasks } = truncationStudy([{ backbone, msPerTile: [2, 4], studies }], 10, null);
      expect(notes[0]).toMatch(/^Mechanics only: drawn has random weights/);
      expect(notes.join(' ')).toContain('treated as independent, which is optimistic');
      expect(tasks).toEqual([]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
