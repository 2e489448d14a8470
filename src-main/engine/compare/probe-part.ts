import { decisionValues, fitStandardiser, rowsOf, type Samples, standardised } from '../study/linear-model.ts';
import { accuracy, rocAuc } from '../study/metrics.ts';
import { nearestNeighbourShares } from '../study/nearest-neighbours.ts';
import { fitProbe, PROBE_C_GRID, taskRows } from '../study/probe.ts';
import { innerFolds } from '../study/splits.ts';
import { type DualModel, dualDecisions, fitGramSvm, type Gram, gramOf, gramPart } from './gram-svm.ts';
import { fitRowSvm, rowDecisions, withOffset } from './row-svm.ts';
import type { TaskPart } from './task-parts.ts';

export type ProbeKind = 'svm' | 'logistic' | 'knn';

/** Features of every image of a task at one cut, with what the probes share between parts. */
export interface ProbeInput {
  readonly samples: Samples;
  readonly labels: Uint32Array;
  readonly classes: number;
  readonly groups: readonly string[];
  /** Inner products, made when the SVM first asks for them. */
  gram: Gram | null;
}

/** What a probe fitted on a part's training images says of its test images. */
export interface PartResult {
  readonly part: TaskPart;
  /** Test images x outputs (classes, or 1 for two classes), row-major, in the order of `part.test`. */
  readonly decisions: Float64Array;
  /** Mean score of the inner folds, inside the training part: what cuts may be chosen by. */
  readonly innerScore: number;
  /** C of the linear probes, k of the neighbours. */
  readonly chosen: number;
  readonly converged: boolean;
}

export const INNER_FOLDS = 5;
const NEIGHBOURS = [1, 5, 20] as const;
/** Images per feature from which the SVM is faster on features than on inner products. */
const ROWS_PER_FEATURE = 3;
const CHOICE = { tolerance: 1e-2, maxPasses: 100 } as const;
const FINAL = { tolerance: 1e-3, maxPasses: 1000 } as const;

export interface ProbeSettings {
  readonly kind: ProbeKind;
  /** Zero mean and unit variance learnt on the training part: for controls, whose features have units. */
  readonly standardise?: boolean;
  readonly grid?: readonly number[];
}

/** AUC for two classes, accuracy for more, as the multi-task paper does. NaN where a class is missing. */
export function partScore(labels: ArrayLike<number>, decisions: Float64Array, classes: number): number {
  return classes === 2 ? rocAuc(labels, decisions) : accuracy(labels, predictedFrom(decisions, classes));
}

/** Class of each row: the largest decision value; of two classes 1 where the only one is above 0. */
export function predictedFrom(decisions: Float64Array, classes: number): Uint32Array {
  if (classes === 2) return Uint32Array.from(decisions, (value) => (value > 0 ? 1 : 0));
  const rows = decisions.length / classes;
  return Uint32Array.from({ length: rows }, (_, i) => {
    let best = 0;
    for (let k = 1; k < classes; k++) {
      if ((decisions[i * classes + k] as number) > (decisions[i * classes + best] as number)) best = k;
    }
    return best;
  });
}

/**
 * Fits the probe on the training images and judges the test images. C (or k) is chosen by grouped cross-validation
 * inside the training part; of equal candidates the first is taken.
 *
 * @throws AppError InvalidRequest for features that are not numbers, or a class with one group in the training part.
 */
export function probePart(input: ProbeInput, part: TaskPart, settings: ProbeSettings): PartResult {
  if (settings.kind === 'logistic') return logisticPart(input, part, settings);
  const candidates = settings.kind === 'svm' ? (settings.grid ?? PROBE_C_GRID) : NEIGHBOURS;
  const judge = settings.kind === 'svm' ? svmJudge(input, part, settings) : neighbourJudge(input, settings);
  const sums = new Float64Array(candidates.length);
  const counts = new Float64Array(candidates.length);
  for (const { train, test } of innerParts(input, part)) {
    const truth = labelsOf(input, test);
    judge(train, test, candidates, CHOICE).forEach(({ decisions }, i) => {
      const score = partScore(truth, decisions, input.classes);
      if (Number.isNaN(score)) return;
      sums[i] = (sums[i] ?? 0) + score;
      counts[i] = (counts[i] ?? 0) + 1;
    });
  }
  const scores = sums.map((sum, i) => sum / (counts[i] ?? 0));
  const best = scores.reduce((top, score, i) => (score > (scores[top] ?? 0) + 1e-12 ? i : top), 0);
  const [final] = judge(part.train, part.test, candidates.slice(best, best + 1), FINAL);
  return {
    part,
    decisions: final?.decisions ?? new Float64Array(0),
    innerScore: scores[best] ?? Number.NaN,
    chosen: candidates[best] ?? Number.NaN,
    converged: final?.converged ?? false,
  };
}

type Judge = (
  train: readonly number[],
  test: readonly number[],
  candidates: readonly number[],
  effort: { readonly tolerance: number; readonly maxPasses: number },
) => readonly { readonly decisions: Float64Array; readonly converged: boolean }[];

/** Rising C, each solution the start of the next; on features or on their inner products, whichever are fewer. */
function svmJudge(input: ProbeInput, part: TaskPart, { standardise = false }: ProbeSettings): Judge {
  if (ROWS_PER_FEATURE * input.samples.dim < part.train.length) {
    const samples = standardise ? scaledBy(input.samples, part.train) : input.samples;
    return (train, test, candidates, effort) => {
      const own = withOffset(samples, train);
      const others = withOffset(samples, test);
      const labels = labelsOf(input, train);
      let start: DualModel | undefined;
      return candidates.map((c) => {
        const model = fitRowSvm(own, labels, input.classes, { c, seed: part.seed, ...effort, start });
        start = model;
        return { decisions: rowDecisions(model, others), converged: model.converged };
      });
    };
  }
  const gram = standardise ? gramOf(scaledBy(input.samples, part.train)) : sharedGram(input);
  return (train, test, candidates, effort) => {
    const own = gramPart(gram, train);
    const cross = gramPart(gram, test, train);
    const labels = labelsOf(input, train);
    let start: DualModel | undefined;
    return candidates.map((c) => {
      start = fitGramSvm(own, labels, input.classes, { c, seed: part.seed, ...effort, start });
      return { decisions: dualDecisions(start, cross, test.length), converged: start.converged };
    });
  };
}

/** Shares of the classes among the k nearest by cosine; of two classes the share of the second less one half. */
function neighbourJudge(input: ProbeInput, { standardise = false }: ProbeSettings): Judge {
  return (train, test, candidates) => {
    const samples = standardise ? scaledBy(input.samples, train) : input.samples;
    const labels = labelsOf(input, train);
    return candidates.map((k) => {
      const shares = nearestNeighbourShares(rowsOf(samples, train), labels, input.classes, rowsOf(samples, test), k);
      const decisions =
        input.classes === 2 ? Float64Array.from(test, (_, i) => (shares[2 * i + 1] ?? 0) - 0.5) : shares;
      return { decisions, converged: true };
    });
  };
}

function logisticPart(input: ProbeInput, part: TaskPart, { grid, standardise = false }: ProbeSettings): PartResult {
  const task = { samples: input.samples, labels: input.labels, classes: input.classes, groups: input.groups };
  const options = { kind: 'logistic', seed: part.seed, folds: INNER_FOLDS, standardise } as const;
  const probe = fitProbe(taskRows(task, part.train), grid === undefined ? options : { ...options, grid });
  const test = rowsOf(input.samples, part.test);
  const ready = probe.standardiser === null ? test : standardised(test, probe.standardiser);
  const best = probe.chosen.candidates.find(({ c }) => c === probe.chosen.c);
  return {
    part,
    decisions: decisionValues(probe.model, ready),
    innerScore: best?.meanScore ?? Number.NaN,
    chosen: probe.chosen.c,
    converged: probe.model.converged,
  };
}

function innerParts(input: ProbeInput, part: TaskPart): { train: number[]; test: number[] }[] {
  const cases = part.train.map((image) => ({
    id: String(image),
    label: String(input.labels[image]),
    group: input.groups[image] ?? '',
  }));
  return innerFolds(cases, INNER_FOLDS, part.seed).map((held) => {
    const out = new Set(held);
    return {
      train: part.train.filter((_, i) => !out.has(i)),
      test: held.map((i) => part.train[i] ?? 0),
    };
  });
}

function sharedGram(input: ProbeInput): Gram {
  input.gram ??= gramOf(input.samples);
  return input.gram;
}

function scaledBy(samples: Samples, train: readonly number[]): Samples {
  return standardised(samples, fitStandardiser(rowsOf(samples, train)));
}

function labelsOf({ labels }: ProbeInput, rows: readonly number[]): Uint32Array {
  return Uint32Array.from(rows, (row) => labels[row] ?? 0);
}
