import { AppError } from '../../../src-shared/errors.ts';

/** Features of the tiles of one slide: `count` rows of `dim` float32, row-major. Never written to here. */
export interface FeatureMatrix {
  readonly data: Float32Array;
  readonly count: number;
  readonly dim: number;
}

/**
 * Features as a matrix, checked once so that no map needs to worry about them.
 * @throws AppError InvalidRequest where the length does not fit, BackboneFailed where a value is NaN or infinite.
 */
export function featureMatrix(data: Float32Array, dim: number): FeatureMatrix {
  if (!Number.isInteger(dim) || dim < 1 || data.length % dim !== 0) {
    throw new AppError('InvalidRequest', 'The stored features do not fit this backbone.', {
      advice: 'Run the analysis again.',
      detail: `${data.length} values, dimension ${dim}`,
    });
  }
  for (let i = 0; i < data.length; i++) {
    const value = data[i] ?? 0;
    if (value - value !== 0) {
      throw new AppError('BackboneFailed', 'The backbone gave values that are not numbers, so no map can be drawn.', {
        advice: 'Check the input settings on the card of the backbone, then run the analysis again.',
        detail: `tile ${Math.floor(i / dim)}, feature ${i % dim}: ${value}`,
      });
    }
  }
  return { data, count: data.length / dim, dim };
}

/** Mean feature vector in float64; zeros for no tiles. */
export function columnMeans({ data, count, dim }: FeatureMatrix): Float64Array {
  const mean = new Float64Array(dim);
  for (let i = 0, at = 0; i < count; i++) {
    for (let j = 0; j < dim; j++, at++) mean[j] = (mean[j] ?? 0) + (data[at] ?? 0);
  }
  for (let j = 0; j < dim; j++) mean[j] = (mean[j] ?? 0) / Math.max(1, count);
  return mean;
}
