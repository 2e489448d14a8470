import type { Samples } from './linear-model.ts';

/**
 * k nearest neighbours by cosine similarity: the share of each class among the `k` training rows most like a row,
 * rows x classes, row-major. Equal similarities are taken in order of row; a zero vector is like nothing (0). `k` larger
 * than the training part means all of it.
 */
export function nearestNeighbourShares(
  train: Samples,
  labels: ArrayLike<number>,
  classes: number,
  test: Samples,
  k: number,
): Float64Array {
  const unitTrain = unitRows(train);
  const unitTest = unitRows(test);
  const { dim } = train;
  const wanted = Math.min(k, train.count);
  const out = new Float64Array(test.count * classes);
  const similarities = new Float64Array(train.count);
  for (let i = 0; i < test.count; i++) {
    for (let t = 0; t < train.count; t++) {
      let sum = 0;
      for (let j = 0; j < dim; j++) sum += (unitTest[i * dim + j] as number) * (unitTrain[t * dim + j] as number);
      similarities[t] = sum;
    }
    const order = Array.from({ length: train.count }, (_, t) => t).sort(
      (a, b) => (similarities[b] as number) - (similarities[a] as number) || a - b,
    );
    for (const t of order.slice(0, wanted)) {
      const at = i * classes + (labels[t] ?? 0);
      out[at] = (out[at] ?? 0) + 1 / wanted;
    }
  }
  return out;
}

function unitRows({ data, count, dim }: Samples): Float64Array {
  const out = Float64Array.from(data);
  for (let i = 0; i < count; i++) {
    const row = out.subarray(i * dim, (i + 1) * dim);
    const length = Math.sqrt(row.reduce((sum, x) => sum + x * x, 0));
    if (length > 0) for (let j = 0; j < dim; j++) row[j] = (row[j] as number) / length;
  }
  return out;
}
