import { seededRandom, shuffledIndices } from '../../../src-shared/numeric/random.ts';
import { columnMeans, type FeatureMatrix } from './feature-matrix.ts';
import { lloyd, type Partition, squaredDistance } from './lloyd.ts';

export interface Clusters {
  /** Cluster of each tile; 0 is the largest cluster. */
  readonly labels: Uint32Array;
  /** Tiles per cluster, falling; as long as there are clusters (fewer than asked for where tiles are alike). */
  readonly sizes: readonly number[];
  /** Mean feature vectors, one per cluster. */
  readonly centres: readonly Float64Array[];
  /** Sum of squared distances of tiles to their centre. */
  readonly inertia: number;
  readonly iterations: number;
}

export interface ClusterOptions {
  readonly k: number;
  readonly seed: number;
  /** Independent starts, judged on a sample; the best goes on. */
  readonly restarts?: number;
  /** Tiles in that sample. */
  readonly sampleSize?: number;
  readonly maxIterations?: number;
}

/**
 * k-means of tile features by Euclidean distance: k-means++ starts on a seeded sample, the start with the least inertia
 * carried on over all tiles with Lloyd's iteration until no tile moves. Same input and seed, same clusters, whatever
 * the machine. Sources: Arthur and Vassilvitskii 2007 (k-means++); Hamerly 2010 (bounds that skip distances; they do
 * not change the result). Fewer than k distinct tiles give fewer clusters; no tiles give none.
 */
export function kMeans(features: FeatureMatrix, options: ClusterOptions): Clusters {
  const { k, seed, restarts = 3, sampleSize = 1500, maxIterations = 300 } = options;
  const random = seededRandom(seed);
  const origin = columnMeans(features);
  const sample = sampleRows(features, sampleSize, random);
  let best: Float64Array[] = [];
  let least = Number.POSITIVE_INFINITY;
  for (let r = 0; r < restarts; r++) {
    const refined = lloyd(sample, plusPlusCentres(sample, k, random), origin, 25);
    if (refined.inertia < least * (1 - 1e-12)) {
      least = refined.inertia;
      best = refined.centres;
    }
  }
  return orderedBySize(lloyd(features, best, origin, maxIterations));
}

function sampleRows(features: FeatureMatrix, size: number, random: () => number): FeatureMatrix {
  const { data, count, dim } = features;
  if (count <= size) return features;
  const rows = shuffledIndices(count, random).subarray(0, size);
  const out = new Float32Array(size * dim);
  rows.forEach((row, i) => {
    out.set(data.subarray(row * dim, (row + 1) * dim), i * dim);
  });
  return { data: out, count: size, dim };
}

/** Greedy k-means++: of 2 + ln k candidates drawn by squared distance, the one that lowers the inertia most. */
function plusPlusCentres(features: FeatureMatrix, k: number, random: () => number): Float64Array[] {
  const { data, count, dim } = features;
  if (count === 0) return [];
  const row = (i: number) => Float64Array.from(data.subarray(i * dim, (i + 1) * dim));
  const centres: Float64Array[] = [row(Math.min(count - 1, Math.floor(random() * count)))];
  let nearest = squaredDistances(features, centres[0] ?? new Float64Array(dim));
  const candidates = 2 + Math.floor(Math.log(k));
  while (centres.length < k) {
    const total = nearest.reduce((sum, x) => sum + x, 0);
    if (!(total > 0)) break;
    let chosen: { centre: Float64Array; nearest: Float64Array; total: number } | null = null;
    for (let c = 0; c < candidates; c++) {
      const centre = row(drawByWeight(nearest, random() * total));
      const distances = squaredDistances(features, centre).map((d, i) => Math.min(d, nearest[i] ?? 0));
      const left = distances.reduce((sum, x) => sum + x, 0);
      if (chosen === null || left < chosen.total) chosen = { centre, nearest: distances, total: left };
    }
    if (chosen === null) break;
    centres.push(chosen.centre);
    nearest = chosen.nearest;
  }
  return centres;
}

function drawByWeight(weights: Float64Array, target: number): number {
  let sum = 0;
  let last = 0;
  for (let i = 0; i < weights.length; i++) {
    const weight = weights[i] ?? 0;
    if (weight === 0) continue;
    last = i;
    sum += weight;
    if (sum > target) return i;
  }
  return last;
}

/** Squared distance of every tile to one centre; exactly 0 for equal vectors. */
function squaredDistances({ data, count, dim }: FeatureMatrix, centre: Float64Array): Float64Array {
  const out = new Float64Array(count);
  for (let i = 0; i < count; i++) out[i] = squaredDistance(data, i * dim, centre);
  return out;
}

/** Clusters renumbered from the largest to the smallest (ties: the one whose first tile comes first), empty ones gone. */
function orderedBySize({ labels, centres, inertia, iterations }: Partition): Clusters {
  const sizes = new Array<number>(centres.length).fill(0);
  const firstTile = new Array<number>(centres.length).fill(labels.length);
  labels.forEach((label, i) => {
    sizes[label] = (sizes[label] ?? 0) + 1;
    firstTile[label] = Math.min(firstTile[label] ?? i, i);
  });
  const order = centres
    .map((_, c) => c)
    .filter((c) => (sizes[c] ?? 0) > 0)
    .sort((a, b) => (sizes[b] ?? 0) - (sizes[a] ?? 0) || (firstTile[a] ?? 0) - (firstTile[b] ?? 0));
  const rank = new Uint32Array(centres.length);
  order.forEach((c, position) => {
    rank[c] = position;
  });
  return {
    labels: labels.map((label) => rank[label] ?? 0),
    sizes: order.map((c) => sizes[c] ?? 0),
    centres: order.map((c) => centres[c] ?? new Float64Array(0)),
    inertia,
    iterations,
  };
}
