import { describe, expect, it } from 'vitest';
import { asId, type SlideId } from '../../../src-shared/model/ids.ts';
import type { LabelledSlide } from './label-table.ts';
import { checkStudy } from './study-check.ts';

const rows = (...list: readonly [label: string, patient: string][]): LabelledSlide[] =>
  list.map(([label, patient], i) => ({
    slideId: asId<SlideId>(`${i}`),
    slideName: `${i}.svs`,
    label,
    patient,
    site: '',
  }));

describe('checking a study before it starts', () => {
  it('counts slides and patients of each class', () => {
    const check = checkStudy(
      rows(['x', 'p1'], ['x', 'p1'], ['x', 'p2'], ['y', 'p3'], ['x', 'p4'], ['y', 'p5'], ['y', 'p6']),
      3,
    );
    expect(check.classes).toEqual([
      { label: 'x', slides: 4, patients: 3 },
      { label: 'y', slides: 3, patients: 3 },
    ]);
    expect(check).toMatchObject({ patients: 6, patientsUnknown: false, problems: [], warnings: [] });
  });

  it('names a class with fewer patients than folds, however many slides it has', () => {
    const check = checkStudy(rows(['x', 'p1'], ['x', 'p1'], ['x', 'p1'], ['y', 'p2'], ['y', 'p3'], ['y', 'p4']), 3);
    expect(check.problems).toEqual(['x has 1 patient, fewer than the 3 folds. Three are the least.']);
  });

  it('refuses one class, and no labels at all', () => {
    expect(checkStudy(rows(['x', ''], ['x', ''], ['x', '']), 3).problems).toEqual([
      'All slides are labelled x. A study needs two classes.',
    ]);
    expect(checkStudy(rows(['', ''], ['', '']), 3).problems).toEqual(['No slide has a label yet.']);
  });

  it('says that intervals are optimistic where no patients are known, and who is left out', () => {
    const check = checkStudy(rows(['x', ''], ['y', ''], ['', '']), 3);
    expect(check.patientsUnknown).toBe(true);
    expect(check.warnings).toEqual([
      '1 slide without a label is left out.',
      'No patients are named. Intervals are optimistic: images treated as independent.',
    ]);
  });
});
