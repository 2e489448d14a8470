import { describe, expect, it } from 'vitest';
import { asId, type StudyId } from '../../../../src-shared/model/ids.ts';
import type { Study, StudyAudit } from '../../../../src-shared/model/study.ts';
import { describeAudit, describeStudy } from './show.ts';

const figure = { name: 'AUC', value: 0.9, byFold: [0.9], low: 0.8, high: 0.95, patientSd: 0.04, seedSd: 0.01 };
const study = (patientsUnknown: boolean) =>
  ({
    id: asId<StudyId>('study'),
    plan: { name: 'Study', rows: [1, 2], seeds: [1, 2, 3, 4, 5], patientsUnknown },
    outcome: { classes: ['a', 'b'], positiveClass: 'b', figures: [figure], audits: [1], checks: null, external: [] },
  }) as unknown as Study;
const part = { slides: 1, patients: 1, sites: 0, labels: { a: 1, b: 0 } };
const audit: StudyAudit = {
  ...{ classes: ['a', 'b'], positiveClass: 'b', validationTaken: false },
  splits: [{ train: part, validation: part, test: part, leftOut: 0 }],
};

describe('a study as text', () => {
  it('shows the spread of seeds beside that of patients', () => {
    expect(describeStudy(study(false))).toContain('0.900 (0.800 to 0.950), patients ±0.040, seeds ±0.010');
    expect(describeStudy(study(false))).not.toContain('optimistic');
    expect(describeStudy(study(false))).not.toContain('only');
    const { plan, ...rest } = study(false);
    const two = { ...rest, plan: { ...plan, seeds: [1, 2] } };
    expect(describeStudy(two)).toContain('2 seeds only: how much chance in training matters takes at least 5 to tell.');
    expect(describeAudit(audit, false)).toContain('test 1 slide, 1 patient (a 1, b 0)');
  });

  it('is labelled optimistic where no patients are known, and speaks of none', () => {
    expect(describeStudy(study(true))).toContain('over slides (optimistic: images treated as independent)');
    expect(describeStudy(study(true))).toContain('slides ±0.040, seeds ±0.010');
    expect(describeStudy(study(true))).not.toContain('patient');
    expect(describeAudit(audit, true)).toContain('test 1 slide (a 1, b 0)');
    expect(describeAudit(audit, true)).toContain('optimistic, images treated as independent');
  });
});
