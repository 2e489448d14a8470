/**
 * Mean of each feature over the tiles of a bag, then the standard deviation of each over them: 2 dim numbers, zeros where
 * there are no tiles. Two passes in float64.
 * @param features tiles x dim.
 */
export function featureMoments(features: Float32Array, dim: number): Float64Array {
  const moments = new Float64Array(2 * dim);
  const tiles = features.length / dim;
  for (let first = 0; first < features.length; first += dim) {
    for (let j = 0; j < dim; j++) moments[j] = (moments[j] as number) + (features[first + j] as number) / tiles;
  }
  for (let first = 0; first < features.length; first += dim) {
    for (let j = 0; j < dim; j++) {
      const off = (features[first + j] as number) - (moments[j] as number);
      moments[dim + j] = (moments[dim + j] as number) + (off * off) / tiles;
    }
  }
  for (let j = dim; j < 2 * dim; j++) moments[j] = Math.sqrt(moments[j] as number);
  return moments;
}
