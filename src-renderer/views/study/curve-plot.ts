import type { StudyOutcome } from '../../../src-shared/model/study.ts';
import { legendTicks } from '../../../src-shared/numeric/map-raster.ts';

export type LearningCurve = StudyOutcome['curves'][number];

export interface PlotBox {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export interface CurveLine {
  readonly seed: number;
  readonly part: 'train' | 'validation';
  /** For the `points` of an SVG polyline. */
  readonly points: string;
}

export interface CurvePlot {
  readonly lines: readonly CurveLine[];
  /** Where each seed's kept epoch lies on its validation curve. */
  readonly best: readonly { readonly seed: number; readonly x: number; readonly y: number }[];
  readonly xTicks: readonly { readonly at: number; readonly text: string }[];
  readonly yTicks: readonly { readonly at: number; readonly text: string }[];
}

/** Least and greatest loss of the curves, from 0, so that folds can be compared by eye. */
export function lossRange(curves: readonly LearningCurve[]): readonly [number, number] {
  const losses = curves
    .flatMap(({ trainLoss, validationLoss }) => [...trainLoss, ...validationLoss])
    .filter(Number.isFinite);
  const highest = losses.reduce((most, loss) => Math.max(most, loss), 0);
  return [0, highest > 0 ? highest * 1.05 : 1];
}

/**
 * Places the curves of one fold in a box of SVG units. Epochs run from 1. Losses that are no
 * numbers are left out of their line.
 */
export function plotCurves(
  curves: readonly LearningCurve[],
  [low, high]: readonly [number, number],
  box: PlotBox,
): CurvePlot {
  const epochs = Math.max(1, ...curves.map(({ trainLoss }) => trainLoss.length));
  const xOf = (epoch: number): number => round(box.left + ((box.right - box.left) * epoch) / Math.max(1, epochs - 1));
  const yOf = (loss: number): number => round(box.bottom - ((box.bottom - box.top) * (loss - low)) / (high - low));
  const line = (losses: readonly number[]): string =>
    losses.flatMap((loss, epoch) => (Number.isFinite(loss) ? [`${xOf(epoch)},${yOf(loss)}`] : [])).join(' ');
  return {
    lines: curves.flatMap(({ seed, trainLoss, validationLoss }) => [
      { seed, part: 'train' as const, points: line(trainLoss) },
      { seed, part: 'validation' as const, points: line(validationLoss) },
    ]),
    best: curves.flatMap(({ seed, bestEpoch, validationLoss }) => {
      const loss = validationLoss[bestEpoch - 1];
      return loss !== undefined && Number.isFinite(loss) ? [{ seed, x: xOf(bestEpoch - 1), y: yOf(loss) }] : [];
    }),
    xTicks: epochTicks(epochs).map((epoch) => ({ at: xOf(epoch - 1), text: String(epoch) })),
    yTicks: legendTicks(low, high, 4).map((loss) => ({ at: yOf(loss), text: String(loss) })),
  };
}

/** First and last epoch, and the middle one where there is room. */
function epochTicks(epochs: number): readonly number[] {
  if (epochs === 1) return [1];
  return epochs < 4 ? [1, epochs] : [1, Math.round((1 + epochs) / 2), epochs];
}

const round = (value: number): number => Math.round(value * 100) / 100;

/** What a plot shows, for those who do not see it. */
export function describeCurves(fold: number, curves: readonly LearningCurve[]): string {
  const best = curves.map(({ bestEpoch }) => bestEpoch);
  const at = curves.flatMap(({ bestEpoch, validationLoss }) => validationLoss[bestEpoch - 1] ?? []);
  const loss = at.reduce((sum, value) => sum + value, 0) / Math.max(1, at.length);
  const [first, last] = [Math.min(...best), Math.max(...best)];
  const epochs = first === last ? `epoch ${first}` : `epochs ${first} to ${last}`;
  const heads = `${curves.length} seed${curves.length === 1 ? '' : 's'}`;
  return `Split ${fold + 1}, ${heads}: weights kept from ${epochs}, mean validation loss ${loss.toFixed(3)}.`;
}
