import { AppError } from '../../../src-shared/errors.ts';
import { columnMeans, type FeatureMatrix } from './feature-matrix.ts';

export interface RankedTile {
  readonly index: number;
  readonly score: number;
}

/**
 * Cosine similarity of every tile to a query vector, -1..1. A zero vector resembles nothing: 0 on either side.
 * @throws AppError InvalidRequest where the query has another dimension.
 */
export function cosineTo(features: FeatureMatrix, query: ArrayLike<number>): Float64Array {
  const { data, count, dim } = features;
  if (query.length !== dim) {
    throw new AppError('InvalidRequest', 'The query does not fit the features of this slide.', {
      detail: `query ${query.length}, features ${dim}`,
    });
  }
  const q = Float64Array.from(query);
  const queryLength = Math.sqrt(q.reduce((sum, x) => sum + x * x, 0));
  const out = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    let product = 0;
    let squares = 0;
    for (let j = 0, at = i * dim; j < dim; j++, at++) {
      const x = data[at] as number;
      product += x * (q[j] as number);
      squares += x * x;
    }
    const lengths = Math.sqrt(squares) * queryLength;
    out[i] = lengths > 0 ? Math.min(1, Math.max(-1, product / lengths)) : 0;
  }
  return out;
}

/** Cosine similarity of every tile to tile `index`; the tile itself scores 1 (0 where its features are all zero). */
export function similarityToTile(features: FeatureMatrix, index: number): Float64Array {
  const { data, count, dim } = features;
  if (!Number.isInteger(index) || index < 0 || index >= count) {
    throw new AppError('InvalidRequest', 'There is no such tile on this slide.', { detail: `${index} of ${count}` });
  }
  const query = data.subarray(index * dim, (index + 1) * dim);
  const similarity = cosineTo(features, query);
  if (query.some((x) => x !== 0)) similarity[index] = 1;
  return similarity;
}

/** The `count` highest scores, best first; equal scores in order of index. NaN never ranks. */
export function topScores(scores: ArrayLike<number>, count: number, leaveOut: number | null = null): RankedTile[] {
  const order: RankedTile[] = [];
  for (let index = 0; index < scores.length; index++) {
    const score = scores[index] ?? Number.NaN;
    if (index !== leaveOut && !Number.isNaN(score)) order.push({ index, score });
  }
  return order.sort((a, b) => b.score - a.score || a.index - b.index).slice(0, Math.max(0, count));
}

/** The tiles most like tile `index`, best first, itself left out. */
export function mostSimilarTiles(features: FeatureMatrix, index: number, count: number): RankedTile[] {
  return topScores(similarityToTile(features, index), count, index);
}

/**
 * Distance of every tile from the mean tile of its slide: Euclidean, in units of the root mean square distance, so
 * that 1 is ordinary. 0 throughout where all tiles are alike.
 */
export function distanceFromMean(features: FeatureMatrix): Float64Array {
  const { data, count, dim } = features;
  const mean = columnMeans(features);
  const distance = new Float64Array(count);
  let total = 0;
  for (let i = 0; i < count; i++) {
    let squares = 0;
    for (let j = 0, at = i * dim; j < dim; j++, at++) {
      const difference = (data[at] as number) - (mean[j] as number);
      squares += difference * difference;
    }
    distance[i] = Math.sqrt(squares);
    total += squares;
  }
  const scale = Math.sqrt(total / Math.max(1, count));
  return distance.map((d) => (scale > 0 ? d / scale : 0));
}
