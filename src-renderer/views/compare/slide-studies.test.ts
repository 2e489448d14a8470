import { describe, expect, it } from 'vitest';
import { asId, type BackboneId } from '../../../src-shared/model/ids.ts';
import type { Study } from '../../../src-shared/model/study.ts';
import { featuresKey, slideStudies } from './slide-studies.ts';

const [a, b] = [asId<BackboneId>('a'), asId<BackboneId>('b')];

function study(name: string, backboneId: BackboneId, cut: string | null, labels: readonly string[], trained = true) {
  const rows = labels.map((label, i) => ({ slideId: `s${i}`, label }));
  const plan = { name, backboneId, cut, rows, pooling: 'abmil', gated: false, splitSeed: 1 };
  return { id: name, plan, outcome: trained ? { figures: [] } : null } as unknown as Study;
}

describe('studies beside the cuts of a comparison', () => {
  const defaultCut = () => 'last';
  const one = study('one', a, null, ['x', 'y']);
  const two = study('two', b, 'early', ['x', 'y']);
  const other = study('other', a, 'early', ['y', 'x']);

  it('stand together where slides and labels are the same, and only there', () => {
    const groups = slideStudies([other, one, two], [{ backboneId: a }, { backboneId: b }], defaultCut);
    expect(groups.map(({ byFeatures }) => [...byFeatures.keys()])).toEqual([
      [featuresKey(a, 'last'), featuresKey(b, 'early')],
      [featuresKey(a, 'early')],
    ]);
  });

  it('are trained, of a compared backbone, and the newest of their kind', () => {
    const older = study('older', a, 'last', ['x', 'y']);
    const unfinished = study('unfinished', a, 'early', ['x', 'y'], false);
    const [group, ...rest] = slideStudies([unfinished, one, older, two], [{ backboneId: a }], defaultCut);
    expect(rest).toEqual([]);
    expect([...(group?.byFeatures.values() ?? [])]).toEqual([one]);
  });
});
