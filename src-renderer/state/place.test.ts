import { describe, expect, it } from 'vitest';
import { asId, type ComparisonId, type SlideId, type StudyId } from '../../src-shared/model/ids.ts';
import { formatPlace, parsePlace } from './place.ts';

const id = asId<SlideId>('a'.repeat(64));

describe('places as addresses', () => {
  it('come back to where they were written from', () => {
    expect(parsePlace(formatPlace('viewer', id))).toEqual({
      destination: 'viewer',
      slideId: id,
      study: null,
      comparison: null,
      demo: false,
    });
    expect(parsePlace(formatPlace('settings', id))).toEqual({
      destination: 'settings',
      slideId: null,
      study: null,
      comparison: null,
      demo: false,
    });
  });

  it('come back to a study, its form and the list of them', () => {
    for (const study of [asId<StudyId>('0b7e-1'), 'new', null] as const) {
      expect(parsePlace(formatPlace('study', study))).toMatchObject({ destination: 'study', study, slideId: null });
    }
  });

  it('come back to a comparison, its form and the list of them', () => {
    for (const comparison of [asId<ComparisonId>('0b7e-2'), 'new', null] as const) {
      const place = parsePlace(formatPlace('compare', comparison));
      expect(place).toMatchObject({ destination: 'compare', comparison, study: null, slideId: null });
    }
  });

  it('open the demo slide by name', () => {
    expect(parsePlace('#/demo')).toEqual({
      destination: 'viewer',
      slideId: null,
      study: null,
      comparison: null,
      demo: true,
    });
  });

  it.each(['', '#', '#/nowhere', '#/studies'])('fall back to the library for %j', (hash) => {
    expect(parsePlace(hash).destination).toBe('library');
  });

  it('take no id that is not one', () => {
    expect(parsePlace('#/viewer/..%2Fetc').slideId).toBeNull();
    expect(parsePlace(`#/viewer/${'a'.repeat(200)}`).slideId).toBeNull();
  });
});
