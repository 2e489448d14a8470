import { describe, expect, it } from 'vitest';
import { openingView } from './attention-view.ts';
import { asId, type RunId, type StudyId } from './ids.ts';
import type { PoolingName, Study } from './study.ts';

const RUN = asId<RunId>('r1');

function study(pooling: PoolingName, classes: readonly string[], positiveClass: string | null) {
  const predictions = [{ runId: RUN, probabilities: classes.map((_, c) => (c === 2 ? 0.8 : 0.1)) }];
  const outcome = { classes, positiveClass, predictions };
  return { id: asId<StudyId>('s'), plan: { pooling }, outcome } as unknown as Pick<Study, 'id' | 'plan' | 'outcome'>;
}

describe('the map a study opens a slide with', () => {
  it('is attention where tiles are weighed by it', () => {
    for (const pooling of ['histotransfer', 'abmil', 'clam-sb'] as const) {
      const view = openingView(study(pooling, ['a', 'b'], 'b'), RUN);
      expect(view).toEqual({ kind: 'attention', studyId: 's', view: 'attention', classIndex: null });
    }
  });

  it('is what tiles add to the positive class where attention is the same everywhere', () => {
    for (const pooling of ['mean', 'max'] as const) {
      expect(openingView(study(pooling, ['a', 'b'], 'b'), RUN)).toMatchObject({ view: 'contribution', classIndex: 1 });
      expect(openingView(study(pooling, ['a', 'b'], 'a'), RUN)).toMatchObject({ view: 'contribution', classIndex: 0 });
    }
  });

  it('of several classes takes the one the slide was called, or the first of a slide it has not judged', () => {
    const three = study('mean', ['a', 'b', 'c'], null);
    expect(openingView(three, RUN)).toMatchObject({ view: 'contribution', classIndex: 2 });
    expect(openingView(three, asId<RunId>('other'))).toMatchObject({ view: 'contribution', classIndex: 0 });
  });
});
