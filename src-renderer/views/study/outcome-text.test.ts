import { describe, expect, it } from 'vitest';
import { asId, type BackboneId, type RunId, type SlideId, type StudyId } from '../../../src-shared/model/ids.ts';
import { DEFAULT_GRID, DEFAULT_TISSUE } from '../../../src-shared/model/run.ts';
import { DEFAULT_STUDY_TRAINING, type Study } from '../../../src-shared/model/study.ts';
import { aucText, auditText, mostWrongFirst } from './outcome-text.ts';

const row = (id: string, label: string) =>
  ({ slideId: asId<SlideId>(id), slideName: `${id}.svs`, patient: id, label, site: '', runId: null }) as const;
const judged = (id: string, probabilities: readonly number[]) =>
  ({
    slideId: asId<SlideId>(id),
    runId: asId<RunId>(`run-${id}`),
    fold: 0,
    probabilities,
    spread: [0.1, 0.1],
  }) as const;

const STUDY: Study = {
  id: asId<StudyId>('s'),
  createdAtMs: 0,
  jobId: null,
  plan: {
    ...DEFAULT_STUDY_TRAINING,
    name: 'MSI',
    rows: [row('a', 'x'), row('b', 'y'), row('c', 'y')],
    patientsUnknown: false,
    backboneId: asId<BackboneId>('net'),
    cut: null,
    grid: DEFAULT_GRID,
    tissue: DEFAULT_TISSUE,
  },
  outcome: {
    classes: ['x', 'y'],
    positiveClass: 'y',
    featureDim: 4,
    figures: [{ name: 'AUC', value: 0.9, byFold: [1, null, 0.8], low: 0.7, high: 1, patientSd: 0.05, seedSd: 0.01 }],
    predictions: [judged('a', [0.9, 0.1]), judged('b', [0.4, 0.6]), judged('c', [0.8, 0.2]), judged('gone', [1, 0])],
    audits: [],
    splits: [],
    thresholds: [],
    curves: [],
    checks: null,
    external: [],
    versions: {},
    finishedAtMs: 1,
  },
};

describe('what a study found', () => {
  it('begins with the slide judged most wrongly', () => {
    expect(mostWrongFirst(STUDY).map(({ row: { slideId }, predicted }) => [slideId, predicted])).toEqual([
      ['c', 'x'],
      ['b', 'y'],
      ['a', 'x'],
    ]);
  });

  it('says AUC with its interval, and nothing before it is trained', () => {
    expect(aucText(STUDY)).toBe('AUC 0.900 (0.700 to 1.000)');
    expect(aucText({ ...STUDY, outcome: null })).toBeNull();
  });

  it('counts a part of a split, with patients only where they are known', () => {
    const part = { slides: 3, patients: 2, sites: 0, labels: { x: 1, y: 2 } };
    expect(auditText(part, false)).toBe('3 slides, 2 patients: x 1, y 2');
    expect(auditText({ ...part, sites: 2 }, false)).toBe('3 slides, 2 patients, 2 sites: x 1, y 2');
    expect(auditText(part, true)).toBe('3 slides: x 1, y 2');
  });
});
