/** A point of a curve, both coordinates in 0..1. */
export interface CurvePoint {
  readonly x: number;
  readonly y: number;
}

/** One row of an evaluation: 1 = of the class in question. */
export interface ScoredRow {
  readonly truth: 0 | 1;
  readonly score: number;
}

/**
 * The ROC curve: x = 1 - specificity, y = sensitivity, from (0, 0) to (1, 1), equal scores as one step. Empty where one
 * of the two classes is missing.
 */
export function rocCurve(rows: readonly ScoredRow[]): readonly CurvePoint[] {
  const positives = rows.filter(({ truth }) => truth === 1).length;
  const negatives = rows.length - positives;
  if (positives === 0 || negatives === 0) return [];
  const points: CurvePoint[] = [{ x: 0, y: 0 }];
  for (const { hits, misses } of steps(rows)) points.push({ x: misses / negatives, y: hits / positives });
  return points;
}

/** The precision-recall curve: x = recall, y = precision, from the highest scores on. Empty without positives. */
export function precisionRecallCurve(rows: readonly ScoredRow[]): readonly CurvePoint[] {
  const positives = rows.filter(({ truth }) => truth === 1).length;
  if (positives === 0) return [];
  const points = steps(rows).map(({ hits, misses }) => ({ x: hits / positives, y: hits / (hits + misses) }));
  return [{ x: 0, y: points[0]?.y ?? 1 }, ...points];
}

/** Counts at or above each distinct score, highest first. */
function steps(rows: readonly ScoredRow[]): readonly { readonly hits: number; readonly misses: number }[] {
  const sorted = [...rows].sort((a, b) => b.score - a.score);
  const result: { hits: number; misses: number }[] = [];
  let [hits, misses] = [0, 0];
  sorted.forEach(({ truth, score }, i) => {
    if (truth === 1) hits++;
    else misses++;
    if (sorted[i + 1]?.score !== score) result.push({ hits, misses });
  });
  return result;
}

/** The mean of step curves, read at even places of x: what the curves of several folds have in common. */
export function meanCurve(curves: readonly (readonly CurvePoint[])[], places = 50): readonly CurvePoint[] {
  const drawn = curves.filter((curve) => curve.length > 0);
  if (drawn.length === 0) return [];
  return Array.from({ length: places + 1 }, (_, i) => {
    const x = i / places;
    return { x, y: drawn.reduce((sum, curve) => sum + heightAt(curve, x), 0) / drawn.length };
  });
}

/** Height of a curve at x, straight between its points; at a vertical step its upper end. */
function heightAt(curve: readonly CurvePoint[], x: number): number {
  let before = curve[0];
  for (const point of curve) {
    if (point.x > x) {
      if (before === undefined || before.x === point.x) return point.y;
      return before.y + ((point.y - before.y) * (x - before.x)) / (point.x - before.x);
    }
    before = point;
  }
  return before?.y ?? 0;
}

/** A group of slides of like probability. */
export interface ReliabilityPoint extends CurvePoint {
  readonly count: number;
}

/** Fewest slides in a group of the reliability plot. */
const LEAST_IN_GROUP = 5;
const MOST_GROUPS = 10;

/**
 * The reliability plot in groups of equal size: x = mean probability, y = share of positives. Groups of equal size and
 * not of equal width, because with few slides most equal widths hold one or none. Equal scores stay together.
 */
export function reliabilityPoints(rows: readonly ScoredRow[]): readonly ReliabilityPoint[] {
  const sorted = [...rows].sort((a, b) => a.score - b.score);
  const groups = Math.max(1, Math.min(MOST_GROUPS, Math.floor(sorted.length / LEAST_IN_GROUP)));
  const points: ReliabilityPoint[] = [];
  let start = 0;
  for (let group = 1; group <= groups && start < sorted.length; group++) {
    let end = Math.max(start + 1, Math.round((group * sorted.length) / groups));
    while (end < sorted.length && sorted[end]?.score === sorted[end - 1]?.score) end++;
    const members = sorted.slice(start, end);
    const mean = (value: (row: ScoredRow) => number): number =>
      members.reduce((sum, row) => sum + value(row), 0) / members.length;
    points.push({ x: mean(({ score }) => score), y: mean(({ truth }) => truth), count: members.length });
    start = end;
  }
  return points;
}
