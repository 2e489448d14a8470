import { describe, expect, it } from 'vitest';
import { parseTissueExtras } from './tissue-extras.ts';

describe('parseTissueExtras', () => {
  it('keeps what is there, adds nothing, and refuses what is wrong', () => {
    expect(parseTissueExtras({ maskMpp: 8 })).toEqual({});
    const extras = {
      opticalDensityThreshold: 0.1,
      penInks: ['green'],
      findsCoverslip: false,
      minSharpness: null,
      strokes: [{ kind: 'add', radiusLevel0Px: 5, points: [[1, 2]] }],
    };
    expect(parseTissueExtras({ maskMpp: 8, ...extras, other: 1 })).toEqual(extras);
    const wrong = [
      { opticalDensityThreshold: -1 },
      { penInks: ['pink'] },
      { findsCoverslip: 1 },
      { minSharpness: 'x' },
      { strokes: [1] },
    ];
    for (const value of wrong) expect(parseTissueExtras(value)).toBeNull();
  });
});
