import { describe, expect, it } from 'vitest';
import type { FineTuningRecord } from '../../../src-shared/model/fine-tune.ts';
import { asId, type BackboneId, type SlideId, type StudyId } from '../../../src-shared/model/ids.ts';
import { DEFAULT_GRID, DEFAULT_TISSUE } from '../../../src-shared/model/run.ts';
import { DEFAULT_STUDY_TRAINING, type StudyPlan, type StudyRow } from '../../../src-shared/model/study.ts';
import { hasSeen, refuseTestingOnTuned, refuseValidatingOnTuned, type TunedPast } from './tuned-leak.ts';

const id = (i: number): SlideId => asId<SlideId>(`slide${i}`);
/** Two slides of each patient, patients of both labels in turn. */
const rows: readonly StudyRow[] = Array.from({ length: 12 }, (_, i) => ({
  ...{ slideId: id(i), slideName: `s${i}.tif`, patient: `p${i >> 1}`, label: i & 2 ? 'b' : 'a', site: '', runId: null },
}));
const ids = (...patients: readonly number[]): SlideId[] => patients.flatMap((p) => [id(2 * p), id(2 * p + 1)]);

const plan = (changes: Partial<StudyPlan> = {}): StudyPlan => ({
  ...DEFAULT_STUDY_TRAINING,
  ...{ name: 'Study', rows, patientsUnknown: false, backboneId: asId<BackboneId>('tuned'), cut: null },
  ...{ grid: DEFAULT_GRID, tissue: DEFAULT_TISSUE },
  splitting: {
    kind: 'given',
    from: 'this test',
    splits: [{ train: ids(0, 1), validation: ids(2, 3), test: ids(4, 5) }],
  },
  ...changes,
});

const past = (train: readonly SlideId[], changes: Partial<FineTuningRecord> = {}, known: readonly StudyRow[] = []) => {
  const tuned: FineTuningRecord = {
    ...{ studyId: asId<StudyId>('first'), studyName: 'First', from: asId<BackboneId>('frozen'), fromName: 'frozen' },
    ...{ cut: 'layer4', fold: 0, seed: 1, tiles: 64, tilesPerStep: null, frozenUpTo: null, epochs: 20, rate: 1e-5 },
    ...{ headRate: null, trainSlides: train, validationSlides: [], earlierSlides: [] },
    ...changes,
  };
  return { tuned, rows: known } satisfies TunedPast;
};

describe('a study on a fine-tuned backbone', () => {
  it('may train and choose on the slides that the backbone was tuned on, and test on others', () => {
    expect(() => refuseTestingOnTuned(plan(), past(ids(0, 1), { validationSlides: ids(2, 3) }))).not.toThrow();
  });

  it('tests on none that it was trained on, chosen on, or tuned on before', () => {
    const each: readonly TunedPast[] = [
      past([id(8)]),
      past([], { validationSlides: [id(8)] }),
      past([], { earlierSlides: [id(8)] }),
    ];
    for (const one of each) expect(() => refuseTestingOnTuned(plan(), one)).toThrow(/s8\.tif/);
    // Every slide of cross-validation is tested once.
    const folds = plan({ splitting: { kind: 'folds', folds: 3, repeats: 1 } });
    expect(() => refuseTestingOnTuned(folds, past([id(0)]))).toThrow(/s0\.tif/);
    expect(() => refuseTestingOnTuned(plan({ splitting: { kind: 'none' } }), past([id(0)]))).not.toThrow();
  });

  it('tests on no other slide of such a patient, named in this study or in the one it was tuned in', () => {
    expect(() => refuseTestingOnTuned(plan(), past([id(9)]))).toThrow(/s8\.tif/);
    const elsewhere: StudyRow = { ...(rows[0] as StudyRow), slideId: id(99), patient: 'p5' };
    expect(() => refuseTestingOnTuned(plan(), past([id(99)], {}, [elsewhere]))).toThrow(/s10\.tif/);
    expect(() => refuseTestingOnTuned(plan({ patientsUnknown: true }), past([id(99)], {}, [elsewhere]))).not.toThrow();
  });

  it('is not validated on the slides or patients of the fine-tuning', () => {
    const other = plan({ rows: rows.slice(8), splitting: { kind: 'none' } });
    const own = plan({ rows: rows.slice(0, 8) });
    expect(() => refuseValidatingOnTuned(own, other, past(ids(0)))).not.toThrow();
    expect(() => refuseValidatingOnTuned(own, other, past([id(10)]))).toThrow(/s10\.tif/);
    expect(() => refuseValidatingOnTuned(own, other, past([], { earlierSlides: [id(11)] }))).toThrow(/s11\.tif/);
  });

  it('has seen slides that it was tuned on and others of their patients, whatever the heads have', () => {
    const tuned = past([id(0)], { validationSlides: [id(4)], earlierSlides: [id(50)] });
    const seen = (one: TunedPast, changes: Partial<StudyPlan> = {}) =>
      [0, 1, 4, 8, 50, 60].filter((i) => {
        return hasSeen(plan(changes), one, id(i));
      });
    expect(seen(tuned)).toEqual([0, 1, 4, 50]);
    // Without patients only the slides themselves are known; the study it was tuned in may know them.
    expect(seen(tuned, { patientsUnknown: true })).toEqual([0, 4, 50]);
    expect(seen({ ...tuned, rows }, { patientsUnknown: true })).toEqual([0, 1, 4, 50]);
    // A slide that is in no study at all.
    expect(hasSeen(plan({ rows: rows.slice(8) }), past([id(0)]), id(0))).toBe(true);
  });
});
