import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { auditSplit, checkNoLeakage, groupedFolds, groupedSplit, type StudyCase } from './splits.ts';

/** Patients with one to five slides each, of one class per patient. */
const cohort = fc
  .array(fc.record({ slides: fc.integer({ min: 1, max: 5 }), label: fc.constantFrom('a', 'b') }), {
    minLength: 20,
    maxLength: 60,
  })
  .map((patients) =>
    patients.flatMap(({ slides, label }, p) =>
      Array.from({ length: slides }, (_, s): StudyCase => ({ id: `${p}-${s}`, label, group: `patient ${p}` })),
    ),
  )
  .filter((cases) =>
    ['a', 'b'].every((label) => new Set(cases.filter((c) => c.label === label).map((c) => c.group)).size >= 5),
  );

describe('groupedFolds', () => {
  it('keeps patients whole, tests every case once, gives every part every class', () => {
    fc.assert(
      fc.property(cohort, fc.integer(), (cases, seed) => {
        const splits = groupedFolds(cases, 5, seed);
        const tested = splits.flatMap((split) => split.test).sort((a, b) => a - b);
        expect(tested).toEqual(cases.map((_, i) => i));
        for (const split of splits) {
          checkNoLeakage(cases, split);
          for (const part of Object.values(auditSplit(cases, split))) {
            expect(Math.min(...Object.values(part.labels))).toBeGreaterThan(0);
          }
        }
      }),
      { numRuns: 40 },
    );
  });

  it('spreads classes evenly', () => {
    const cases = Array.from({ length: 100 }, (_, i): StudyCase => {
      return { id: `${i}`, label: i < 30 ? 'tumour' : 'normal', group: `${Math.floor(i / 2)}` };
    });
    for (const split of groupedFolds(cases, 5, 3)) {
      expect(auditSplit(cases, split).test).toEqual({
        ...{ cases: 20, groups: 10, sites: 0 },
        labels: { normal: 14, tumour: 6 },
      });
    }
  });

  it('depends on the seed and nothing else', () => {
    const cases = Array.from({ length: 40 }, (_, i) => ({ id: `${i}`, label: `${i % 2}`, group: `${i}` }));
    expect(groupedFolds(cases, 4, 1)).toEqual(groupedFolds(cases, 4, 1));
    expect(groupedFolds(cases, 4, 1)).not.toEqual(groupedFolds(cases, 4, 2));
  });

  it('names the class that has too few patients', () => {
    const cases = Array.from({ length: 20 }, (_, i) => ({
      id: `${i}`,
      label: i < 17 ? 'normal' : 'rare',
      group: i < 17 ? `${i}` : 'one patient',
    }));
    expect(() => groupedFolds(cases, 5, 1)).toThrow('Class rare has 1 patient, fewer than the 5 parts');
    expect(() => groupedFolds(cases.slice(0, 9), 5, 1)).toThrow('at least two classes');
    expect(() => groupedFolds(cases, 2, 1)).toThrow('at least three folds');
  });
});

describe('groupedSplit', () => {
  it('comes within a patient per class of the wanted shares', () => {
    const cases = Array.from({ length: 200 }, (_, i) => ({ id: `${i}`, label: `${i % 4}`, group: `${i % 100}` }));
    const split = groupedSplit(cases, { train: 70, validation: 10, test: 20 }, 5);
    const labels = Object.values(auditSplit(cases, split)).map((part) => Object.values(part.labels));
    [35, 5, 10].forEach((wanted, part) => {
      for (const count of labels[part] ?? []) expect(Math.abs(count - wanted)).toBeLessThanOrEqual(2);
    });
    expect(groupedSplit(cases, { train: 0.8, validation: 0, test: 0.2 }, 5).validation).toEqual([]);
  });
});

describe('checkNoLeakage', () => {
  const cases: readonly StudyCase[] = [
    { id: 's1', label: 'a', group: 'Smith' },
    { id: 's2', label: 'b', group: 'Smith' },
    { id: 's3', label: 'a', group: 'Jones' },
  ];

  it('names the patient that is in two parts', () => {
    const split = { train: [0, 2], validation: [], test: [1] };
    expect(() => checkNoLeakage(cases, split)).toThrow('The same patient is in two parts of the split: Smith.');
  });

  it('names cases that are in no part, or twice', () => {
    expect(() => checkNoLeakage(cases, { train: [0, 1], validation: [], test: [] })).toThrow('s3');
    expect(() => checkNoLeakage(cases, { train: [0, 1, 1], validation: [], test: [2] })).toThrow('s2');
    expect(() => checkNoLeakage(cases, { train: [0, 1, 2], validation: [], test: [9] })).toThrow('not in the study');
    checkNoLeakage(cases, { train: [0, 1], validation: [], test: [2] });
  });
});
