import { describe, expect, it } from 'vitest';
import { RandomStream } from '../backbone/random-stream.ts';
import type { PatchImage } from '../compare/patch-task.ts';
import { BAG_RECIPE, makeBags, splitTiles, type TilePart } from './make-bags.ts';
import { splitPatches } from './patch-tiles.ts';

const numbers = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + i);
const part: TilePart = { positive: numbers(0, 60), negative: numbers(60, 90) };
const stream = (seed = 1) => new RandomStream(seed, 'bags');

describe('bags made of tiles', () => {
  it('hold the wanted number of tiles, none twice, and 10 to 25 % positive ones where positive', () => {
    const bags = makeBags(part, BAG_RECIPE, stream());
    expect(bags).toHaveLength(120);
    expect(bags.filter(({ label }) => label === 1)).toHaveLength(60);
    const counts = bags.map(({ tiles }) => tiles.filter((tile) => tile < 60).length);
    for (const [i, { tiles, label }] of bags.entries()) {
      expect(new Set(tiles).size).toBe(40);
      if (label === 0) expect(counts[i]).toBe(0);
    }
    const positive = counts.filter((_, i) => bags[i]?.label === 1);
    expect(Math.min(...positive)).toBe(4);
    expect(Math.max(...positive)).toBe(10);
  });

  it('are the same for the same seed only', () => {
    expect(makeBags(part, BAG_RECIPE, stream(1))).toEqual(makeBags(part, BAG_RECIPE, stream(1)));
    expect(makeBags(part, BAG_RECIPE, stream(2))).not.toEqual(makeBags(part, BAG_RECIPE, stream(1)));
  });

  it('go round again where a part is smaller than a bag, and need both kinds of tiles', () => {
    const few = { positive: [0], negative: numbers(1, 5) };
    const [, positive] = makeBags(few, { ...BAG_RECIPE, bags: 2 }, stream());
    expect(positive?.tiles).toHaveLength(40);
    expect(() => makeBags({ ...few, positive: [] }, BAG_RECIPE, stream())).toThrow('both classes');
  });

  it('of training and validation share no tile', () => {
    const [fit, held] = splitTiles(part, 0.25, stream());
    const all = [...fit.positive, ...fit.negative, ...held.positive, ...held.negative];
    expect(new Set(all).size).toBe(150);
    expect(held.positive).toHaveLength(15);
    expect(held.negative.every((tile) => tile >= 60)).toBe(true);
  });
});

describe('patches of two classes', () => {
  const images = (['train', 'test'] as const).flatMap((side) =>
    ['AC', 'T', 'H'].flatMap((label) =>
      numbers(0, side === 'train' ? 50 : 20).map(
        (n) => ({ label, part: side, sha256: `${side}${label}${n}` }) as PatchImage,
      ),
    ),
  );
  const options = { positive: 'AC', negative: 'T', seed: 3 } as const;

  it('stay in their own parts, or are dealt anew in the same proportion; no tile is in both', () => {
    for (const parts of ['own', 'anew'] as const) {
      const split = splitPatches(images, { ...options, parts });
      expect(split.images).toHaveLength(140);
      const [train, test] = [split.train, split.test].map((it) => [...it.positive, ...it.negative]);
      expect(new Set([...(train ?? []), ...(test ?? [])]).size).toBe(140);
      expect(split.test.positive).toHaveLength(20);
      for (const row of split.train.positive) expect(split.images[row]?.label).toBe('AC');
      const ownOnly = (train ?? []).every((row) => split.images[row]?.part === 'train');
      expect(ownOnly).toBe(parts === 'own');
    }
  });

  it('must be there, in both parts', () => {
    expect(() => splitPatches(images, { ...options, positive: 'X', parts: 'own' })).toThrow('no class X');
    const trainOnly = images.filter(({ part: side }) => side === 'train');
    expect(() => splitPatches(trainOnly, { ...options, parts: 'own' })).toThrow('too few images');
  });
});
