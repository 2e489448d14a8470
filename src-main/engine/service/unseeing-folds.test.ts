import { describe, expect, it } from 'vitest';
import { asId, type SlideId } from '../../../src-shared/model/ids.ts';
import type { Study } from '../../../src-shared/model/study.ts';
import { unseeingFolds } from './unseeing-folds.ts';

const id = (i: number): SlideId => asId<SlideId>(`slide${i}`);
/** Slides 0 and 1 are of one patient, 2 and 3 of another, ... */
const rows = Array.from({ length: 8 }, (_, i) => ({ slideId: id(i), patient: `p${i >> 1}` }));
const split = (train: number[], validation: number[], test: number[]) => ({
  ...{ train: train.map(id), validation: validation.map(id), test: test.map(id) },
});
const study = (splits: readonly ReturnType<typeof split>[], patientsUnknown = false) =>
  ({ plan: { rows, patientsUnknown }, outcome: { splits, predictions: [] } }) as unknown as Study;

describe('the folds whose heads never saw a slide', () => {
  const folds = [split([0, 1, 2], [4, 5], [6, 7]), split([6, 7, 4, 5], [2], [0, 1])];

  it('are those that had it in no part to train or select on', () => {
    expect(unseeingFolds(study(folds), id(6))).toEqual({ seen: 'tested', folds: new Set([0]) });
    expect(unseeingFolds(study(folds), id(0))).toEqual({ seen: 'tested', folds: new Set([1]) });
    expect(unseeingFolds(study(folds), id(4))).toEqual({ seen: 'trained', folds: null });
    expect(unseeingFolds(study(folds), id(60))).toEqual({ seen: 'unseen', folds: null });
  });

  it('are not those that left the slide out and learned from another of its patient', () => {
    expect(unseeingFolds(study(folds), id(3))).toEqual({ seen: 'trained', folds: null });
    expect(unseeingFolds(study([split([0, 1], [4], [6]), split([6], [2], [0])]), id(3))).toEqual({
      seen: 'tested',
      folds: new Set([0]),
    });
    expect(unseeingFolds(study(folds, true), id(3))).toEqual({ seen: 'tested', folds: new Set([0, 1]) });
  });
});
