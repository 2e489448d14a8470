/** Rows to learn from or to predict: `count` x `dim`, row-major. */
export interface Samples {
  readonly data: Float32Array | Float64Array;
  readonly count: number;
  readonly dim: number;
}

/** One weight vector and offset per class; two classes have a single one, whose positive side is class 1. */
export interface LinearModel {
  readonly classes: number;
  readonly weights: readonly Float64Array[];
  readonly offsets: readonly number[];
  /** False where the optimiser stopped at its limit of iterations: the figures are then approximate. */
  readonly converged: boolean;
}

/** Decision values, rows x (classes, or 1 for two classes), row-major. */
export function decisionValues(model: LinearModel, { data, count, dim }: Samples): Float64Array {
  const outputs = model.weights.length;
  const out = new Float64Array(count * outputs);
  model.weights.forEach((weights, k) => {
    for (let i = 0; i < count; i++) {
      let sum = model.offsets[k] ?? 0;
      for (let j = 0, at = i * dim; j < dim; j++, at++) sum += (data[at] as number) * (weights[j] as number);
      out[i * outputs + k] = sum;
    }
  });
  return out;
}

/** Class of each row: the largest decision value, the first of equals; of two classes 1 where it is above 0. */
export function predictedClasses(model: LinearModel, samples: Samples): Uint32Array {
  const values = decisionValues(model, samples);
  const outputs = model.weights.length;
  return Uint32Array.from({ length: samples.count }, (_, i) => {
    if (outputs === 1) return (values[i] ?? 0) > 0 ? 1 : 0;
    let best = 0;
    for (let k = 1; k < outputs; k++) {
      if ((values[i * outputs + k] ?? 0) > (values[i * outputs + best] ?? 0)) best = k;
    }
    return best;
  });
}

/** Mean and spread of each feature over the training rows; features that do not vary keep their scale. */
export interface Standardiser {
  readonly mean: Float64Array;
  readonly scale: Float64Array;
}

/** Learnt on training rows only, then used on all: nothing of the test part leaks into it. */
export function fitStandardiser({ data, count, dim }: Samples): Standardiser {
  const mean = new Float64Array(dim);
  const scale = new Float64Array(dim);
  for (let i = 0, at = 0; i < count; i++) {
    for (let j = 0; j < dim; j++, at++) mean[j] = (mean[j] as number) + (data[at] as number) / count;
  }
  for (let i = 0, at = 0; i < count; i++) {
    for (let j = 0; j < dim; j++, at++) {
      scale[j] = (scale[j] as number) + ((data[at] as number) - (mean[j] as number)) ** 2 / count;
    }
  }
  return { mean, scale: scale.map((variance) => (variance > 0 ? Math.sqrt(variance) : 1)) };
}

export function standardised({ data, count, dim }: Samples, { mean, scale }: Standardiser): Samples {
  const out = new Float64Array(data.length);
  for (let i = 0, at = 0; i < count; i++) {
    for (let j = 0; j < dim; j++, at++) out[at] = ((data[at] as number) - (mean[j] as number)) / (scale[j] as number);
  }
  return { data: out, count, dim };
}

/** The given rows as samples of their own. */
export function rowsOf({ data, dim }: Samples, rows: ArrayLike<number>): Samples {
  const out = new Float64Array(rows.length * dim);
  for (let i = 0; i < rows.length; i++) {
    const from = (rows[i] ?? 0) * dim;
    out.set(data.subarray(from, from + dim), i * dim);
  }
  return { data: out, count: rows.length, dim };
}
