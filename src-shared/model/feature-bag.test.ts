import { describe, expect, it } from 'vitest';
import { unfitFeatures } from './feature-bag.ts';

describe('what feature files say of themselves before anything is read', () => {
  it('lets files of one length pass', () => {
    expect(unfitFeatures([])).toEqual([]);
    expect(unfitFeatures(['a', 'b'].map((name) => ({ name, tiles: 5, dim: 512 })))).toEqual([]);
  });

  it('names those of another length than most, and those without tiles', () => {
    const files = ['a', 'b', 'c'].map((name) => ({ name, tiles: 5, dim: 512 }));
    expect(unfitFeatures([...files, { name: 'd', tiles: 0, dim: 1024 }])).toEqual([
      'No tiles in the file of d: leave that slide out.',
      'Most slides have 512 features, d 1024. One study takes one length.',
    ]);
    const many = ['d', 'e', 'f', 'g', 'h'].map((name) => ({ name, tiles: 1, dim: 8 }));
    expect(unfitFeatures([...files, ...many])).toEqual([
      'Most slides have 8 features, a, b, c 512. One study takes one length.',
    ]);
    expect(unfitFeatures([...files, ...files, ...many])).toEqual([
      'Most slides have 512 features, d, e, f and 2 more 8. One study takes one length.',
    ]);
  });
});
