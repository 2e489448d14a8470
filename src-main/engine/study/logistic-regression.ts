import { minimise } from './lbfgs.ts';
import { decisionValues, type LinearModel, type Samples } from './linear-model.ts';

export interface LogisticOptions {
  /** Weight of the loss against the norm of the weights; the offsets are not penalised. */
  readonly c: number;
  /** Largest component of the gradient left. */
  readonly tolerance?: number;
  readonly maxIterations?: number;
}

/**
 * Logistic regression with L2 penalty, multinomial for more than two classes: the same objective as scikit-learn's
 * LogisticRegression, 1/2 ||w||^2 + C sum(loss). No randomness.
 * @param labels class of each row, 0..classes-1.
 */
export function fitLogisticRegression(
  samples: Samples,
  labels: ArrayLike<number>,
  classes: number,
  { c, tolerance = 1e-6, maxIterations = 1000 }: LogisticOptions,
): LinearModel {
  const outputs = classes === 2 ? 1 : classes;
  const width = samples.dim + 1;
  const objective = (x: Float64Array, gradient: Float64Array) =>
    penalisedLoss(samples, labels, outputs, c, x, gradient);
  const found = minimise(objective, new Float64Array(outputs * width), tolerance, maxIterations);
  return {
    classes,
    weights: Array.from({ length: outputs }, (_, k) => found.x.slice(k * width, k * width + samples.dim)),
    offsets: Array.from({ length: outputs }, (_, k) => found.x[(k + 1) * width - 1] ?? 0),
    converged: found.converged,
  };
}

/** Probabilities of all classes, rows x classes, row-major; each row sums to 1. */
export function classProbabilities(model: LinearModel, samples: Samples): Float64Array {
  const values = decisionValues(model, samples);
  const { classes } = model;
  const out = new Float64Array(samples.count * classes);
  for (let i = 0; i < samples.count; i++) {
    if (classes === 2) {
      const p = 1 / (1 + Math.exp(-(values[i] ?? 0)));
      out[2 * i] = 1 - p;
      out[2 * i + 1] = p;
    } else {
      softmaxInto(out.subarray(i * classes, (i + 1) * classes), values.subarray(i * classes, (i + 1) * classes));
    }
  }
  return out;
}

/** Weights and offset of output k lie at k x (dim + 1), the offset last. */
function penalisedLoss(
  { data, count, dim }: Samples,
  labels: ArrayLike<number>,
  outputs: number,
  c: number,
  x: Float64Array,
  gradient: Float64Array,
): number {
  const width = dim + 1;
  gradient.fill(0);
  const scores = new Float64Array(outputs);
  const residuals = new Float64Array(outputs);
  let loss = 0;
  for (let i = 0; i < count; i++) {
    const start = i * dim;
    for (let k = 0; k < outputs; k++) {
      let sum = x[k * width + dim] as number;
      for (let j = 0, at = k * width; j < dim; j++, at++) sum += (data[start + j] as number) * (x[at] as number);
      scores[k] = sum;
    }
    loss +=
      outputs === 1 ? binaryLoss(scores, labels[i] ?? 0, residuals) : softmaxLoss(scores, labels[i] ?? 0, residuals);
    for (let k = 0; k < outputs; k++) {
      const pull = c * (residuals[k] as number);
      for (let j = 0, at = k * width; j < dim; j++, at++) {
        gradient[at] = (gradient[at] as number) + pull * (data[start + j] as number);
      }
      gradient[k * width + dim] = (gradient[k * width + dim] as number) + pull;
    }
  }
  let penalty = 0;
  for (let k = 0; k < outputs; k++) {
    for (let j = 0, at = k * width; j < dim; j++, at++) {
      penalty += (x[at] as number) ** 2;
      gradient[at] = (gradient[at] as number) + (x[at] as number);
    }
  }
  return c * loss + penalty / 2;
}

/** log(1 + exp(-y s)) without overflow; the residual is p - y. */
function binaryLoss(scores: Float64Array, label: number, residuals: Float64Array): number {
  const score = scores[0] ?? 0;
  const positive = label === 1 ? 1 : 0;
  residuals[0] = 1 / (1 + Math.exp(-score)) - positive;
  const margin = positive === 1 ? score : -score;
  return margin > 0 ? Math.log1p(Math.exp(-margin)) : Math.log1p(Math.exp(margin)) - margin;
}

function softmaxLoss(scores: Float64Array, label: number, residuals: Float64Array): number {
  const logSum = softmaxInto(residuals, scores);
  residuals[label] = (residuals[label] ?? 0) - 1;
  return logSum - (scores[label] ?? 0);
}

/** Writes softmax(scores) and returns log(sum(exp(scores))). */
function softmaxInto(out: Float64Array, scores: Float64Array): number {
  const top = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  let sum = 0;
  for (let k = 0; k < scores.length; k++) {
    out[k] = Math.exp((scores[k] ?? 0) - top);
    sum += out[k] ?? 0;
  }
  for (let k = 0; k < scores.length; k++) out[k] = (out[k] ?? 0) / sum;
  return top + Math.log(sum);
}
