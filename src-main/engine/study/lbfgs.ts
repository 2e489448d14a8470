/** A smooth function to minimise: its value at x, its gradient written into `gradient`. */
export type Objective = (x: Float64Array, gradient: Float64Array) => number;

export interface Minimum {
  readonly x: Float64Array;
  readonly value: number;
  readonly converged: boolean;
  readonly iterations: number;
}

const MEMORY = 10;

/**
 * Minimises a convex function by L-BFGS with a line search that meets the weak Wolfe conditions (bisection). Stops when
 * no component of the gradient exceeds `tolerance`. Source: Nocedal and Wright 2006, algorithms 7.4 and 3.5 simplified.
 */
export function minimise(objective: Objective, start: Float64Array, tolerance: number, maxIterations: number): Minimum {
  const search = descend(start, tolerance, maxIterations);
  let asked = search.next();
  while (asked.done !== true) {
    const gradient = new Float64Array(start.length);
    asked = search.next({ value: objective(asked.value, gradient), gradient });
  }
  return asked.value;
}

/** `minimise` for an objective that has to fetch what it needs. */
export async function minimiseFetching(
  objective: (x: Float64Array, gradient: Float64Array) => Promise<number>,
  start: Float64Array,
  tolerance: number,
  maxIterations: number,
): Promise<Minimum> {
  const search = descend(start, tolerance, maxIterations);
  let asked = search.next();
  while (asked.done !== true) {
    const gradient = new Float64Array(start.length);
    asked = search.next({ value: await objective(asked.value, gradient), gradient });
  }
  return asked.value;
}

/** What the objective says of a place. */
interface Evaluation {
  readonly value: number;
  readonly gradient: Float64Array<ArrayBuffer>;
}

/** A search in progress: yields the places it wants to know, takes what the objective says of them. */
type Search<Result> = Generator<Float64Array<ArrayBuffer>, Result, Evaluation>;

function* descend(start: Float64Array, tolerance: number, maxIterations: number): Search<Minimum> {
  let x = start.slice();
  let { value, gradient } = yield x;
  const steps: Float64Array[] = [];
  const changes: Float64Array[] = [];
  for (let iteration = 0; iteration < maxIterations; iteration++) {
    if (gradient.every((g) => Math.abs(g) <= tolerance)) return { x, value, converged: true, iterations: iteration };
    const direction = descent(gradient, steps, changes);
    const found: Point | null = yield* lineSearch(x, value, gradient, direction);
    if (found === null) return { x, value, converged: false, iterations: iteration };
    const step = found.x.map((v, i) => v - (x[i] ?? 0));
    const change = found.gradient.map((g, i) => g - (gradient[i] ?? 0));
    if (dot(step, change) > 1e-300) {
      steps.push(step);
      changes.push(change);
      if (steps.length > MEMORY) {
        steps.shift();
        changes.shift();
      }
    }
    ({ x, value, gradient } = found);
  }
  return { x, value, converged: false, iterations: maxIterations };
}

/** Minus the inverse Hessian's estimate times the gradient (two-loop recursion). */
function descent(
  gradient: Float64Array,
  steps: readonly Float64Array[],
  changes: readonly Float64Array[],
): Float64Array {
  const direction = gradient.map((g) => -g);
  const weights = new Float64Array(steps.length);
  for (let k = steps.length - 1; k >= 0; k--) {
    weights[k] = dot(steps[k], direction) / dot(steps[k], changes[k]);
    addScaled(direction, changes[k], -(weights[k] ?? 0));
  }
  const last = steps.length - 1;
  const scale =
    last < 0
      ? 1 / Math.max(1, Math.sqrt(dot(gradient, gradient)))
      : dot(steps[last], changes[last]) / dot(changes[last], changes[last]);
  for (let i = 0; i < direction.length; i++) direction[i] = (direction[i] ?? 0) * scale;
  for (let k = 0; k < steps.length; k++) {
    const back = dot(changes[k], direction) / dot(steps[k], changes[k]);
    addScaled(direction, steps[k], (weights[k] ?? 0) - back);
  }
  return direction;
}

interface Point extends Evaluation {
  readonly x: Float64Array<ArrayBuffer>;
}

function* lineSearch(
  x: Float64Array,
  value: number,
  gradient: Float64Array,
  direction: Float64Array,
): Search<Point | null> {
  const slope = dot(gradient, direction);
  if (!(slope < 0)) return null;
  let low = 0;
  let high = Number.POSITIVE_INFINITY;
  let step = 1;
  let best: Point | null = null;
  // Near the minimum the fall in value drowns in rounding: there the slope alone has to decide.
  const rounding = 1e-14 * Math.abs(value);
  for (let trial = 0; trial < 60; trial++) {
    const at = new Float64Array(x.length);
    for (let i = 0; i < at.length; i++) at[i] = (x[i] ?? 0) + step * (direction[i] ?? 0);
    const { value: reached, gradient: there } = yield at;
    if (!(reached <= value + 1e-4 * step * slope + rounding)) {
      high = step;
    } else {
      best = { x: at, value: reached, gradient: there };
      if (dot(there, direction) >= 0.9 * slope) return best;
      low = step;
    }
    step = high === Number.POSITIVE_INFINITY ? 2 * low : (low + high) / 2;
  }
  return best;
}

function dot(a: Float64Array | undefined, b: Float64Array | undefined): number {
  let sum = 0;
  for (let i = 0; i < (a?.length ?? 0); i++) sum += (a?.[i] ?? 0) * (b?.[i] ?? 0);
  return sum;
}

function addScaled(into: Float64Array, what: Float64Array | undefined, scale: number): void {
  for (let i = 0; i < into.length; i++) into[i] = (into[i] ?? 0) + scale * (what?.[i] ?? 0);
}
