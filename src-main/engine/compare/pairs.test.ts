import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Contender } from '../study/claims.ts';
import { mcnemar } from '../study/significance.ts';
import { effectSizeOf } from './effect-size.ts';
import { comparePairs, correctPairs } from './pairs.ts';
import type { PatchTask } from './patch-task.ts';
import type { TaskScore } from './score-task.ts';

interface Golden {
  readonly binary: {
    readonly truth: number[];
    readonly a: number[];
    readonly b: number[];
    delong: { z: number; p: number };
  };
  readonly multi: { readonly truth: number[]; readonly scores: number[] };
}
const { binary, multi } = JSON.parse(
  readFileSync(new URL('../study/study.golden.json', import.meta.url), 'utf8'),
) as Golden;

const all = binary.truth.map((_, i) => i);

function taskOf(truth: readonly number[], classes: number, groupOf: (i: number) => string): PatchTask {
  const names = Array.from({ length: classes }, (_, c) => `class ${c}`);
  const images = truth.map((label, i) => ({
    ...{ path: `${i}.png`, sha256: `${i}`, label: names[label] ?? '', group: groupOf(i), part: 'test' as const },
    ...{ widthPx: 10, heightPx: 10, bytes: 100, meanRgb: [0, 0, 0] as const, jpegQuality: 0 },
  }));
  const grouped = groupOf(0) === groupOf(1);
  return { name: 'golden', classes: names, images, grouped, heldOut: true, notes: [] };
}

function scoreOf(decisions: readonly number[], score: number): TaskScore {
  const part = { seed: 1, fold: 0, train: [], test: all };
  const result = { part, decisions: Float64Array.from(decisions), innerScore: 0.5, chosen: 1, converged: true };
  return { score, bySeed: [score], seedSd: 0, parts: [result] };
}

const contender = (name: string): Contender => ({ name, architecture: 'resnet18', origin: 'imagenet' });
const options = { seed: 1, resamples: 200 };

function verdict(task: PatchTask, a: TaskScore, b: TaskScore) {
  const scored = [
    { contender: contender('A'), score: a },
    { contender: contender('B'), score: b },
  ];
  return correctPairs(comparePairs(task, scored, all, options))[0];
}

describe('two backbones on one task', () => {
  it('two classes, one common held-out set of independent images: DeLong, as by its definition', () => {
    const pair = verdict(taskOf(binary.truth, 2, String), scoreOf(binary.a, 0.7), scoreOf(binary.b, 0.75));
    expect(pair?.test).toBe('DeLong');
    expect(pair?.effect).toBeCloseTo(binary.delong.z, 9);
    expect(pair?.pValue).toBeCloseTo(binary.delong.p, 9);
    expect(pair?.effectSizeName).toBe("difference of d'");
  });

  it('images of one patient: neither DeLong nor McNemar, but resampled patients', () => {
    const grouped = taskOf(binary.truth, 2, (i) => `patient ${Math.floor(i / 3)}`);
    const pair = verdict(grouped, scoreOf(binary.a, 0.7), scoreOf(binary.b, 0.75));
    expect(pair?.test).toBe('paired bootstrap');
    expect(pair?.sentence).not.toContain('optimistic');
  });

  it('more classes: McNemar on what each gets right', () => {
    const worse = multi.scores.map((score, at) => (at % 4 === 0 ? score + 0.3 : score));
    const pair = verdict(taskOf(multi.truth, 4, String), scoreOf(multi.scores, 0.7), scoreOf(worse, 0.5));
    const right = (scores: readonly number[]) =>
      multi.truth.map((label, i) => {
        const row = scores.slice(4 * i, 4 * i + 4);
        return row.indexOf(Math.max(...row)) === label;
      });
    expect(pair?.test).toBe('McNemar');
    expect(pair?.pValue).toBeCloseTo(mcnemar(right(multi.scores), right(worse)).pValue, 12);
    expect(pair?.sentence).toMatch(/accuracy points, 95 % interval/);
  });

  it('effect sizes: known values, none where an AUC is perfect', () => {
    // 2 asin(sqrt(0.8)) - 2 asin(sqrt(0.9)) and sqrt(2) (z(0.8) - z(0.9)) by scipy.
    expect(effectSizeOf('accuracy', 0.9, 0.8).effectSize).toBeCloseTo(-0.2837941092083278, 12);
    expect(effectSizeOf('AUC', 0.9, 0.8).effectSize).toBeCloseTo(-0.6221554419736571, 9);
    expect(effectSizeOf('AUC', 0.9, 1).effectSize).toBeNull();
  });
});
