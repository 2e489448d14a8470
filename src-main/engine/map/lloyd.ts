import type { FeatureMatrix } from './feature-matrix.ts';

/** Squared Euclidean distance of the row at `start` to a centre; exactly 0 for equal vectors. */
export function squaredDistance(data: Float32Array, start: number, centre: Float64Array): number {
  let sum = 0;
  for (let j = 0; j < centre.length; j++) {
    const difference = (data[start + j] as number) - (centre[j] as number);
    sum += difference * difference;
  }
  return sum;
}

export interface Partition {
  readonly labels: Uint32Array;
  readonly centres: Float64Array[];
  readonly inertia: number;
  readonly iterations: number;
}

/**
 * Lloyd's iteration from the given centres until no row moves or `limit` is reached, skipping distances that Hamerly's
 * bounds (2010) prove needless. A cluster that loses all its rows keeps its place.
 * @param origin a vector near the data (its mean): sums are kept relative to it.
 */
export function lloyd(
  features: FeatureMatrix,
  start: readonly Float64Array[],
  origin: Float64Array,
  limit: number,
): Partition {
  const { count, dim } = features;
  const k = start.length;
  const state = new HamerlyState(features, start, origin);
  let iterations = 0;
  while (k > 0 && iterations < limit) {
    iterations++;
    const moved = state.assign();
    if (moved === 0 && iterations > 1) break;
    state.moveCentres();
  }
  state.assign();
  const centres = Array.from({ length: k }, (_, c) => state.centres.slice(c * dim, (c + 1) * dim));
  let inertia = 0;
  for (let i = 0; i < count; i++) {
    const centre = centres[state.labels[i] ?? 0];
    if (centre !== undefined) inertia += squaredDistance(features.data, i * dim, centre);
  }
  return { labels: state.labels, centres, inertia, iterations };
}

/** Tiles, centres, and what is known of their distances without computing them. */
class HamerlyState {
  readonly labels: Uint32Array;
  readonly centres: Float64Array;
  readonly #features: FeatureMatrix;
  readonly #k: number;
  /** At least the distance to the own centre. */
  readonly #upper: Float64Array;
  /** At most the distance to the nearest other centre. */
  readonly #lower: Float64Array;
  readonly #sums: Float64Array;
  readonly #sizes: Float64Array;
  readonly #distances: Float64Array;
  readonly #origin: Float64Array;
  /** The centres again, interleaved by fours; past the last one, zeros. */
  readonly #packed: Float64Array;
  #first = true;

  constructor(features: FeatureMatrix, start: readonly Float64Array[], origin: Float64Array) {
    this.#features = features;
    this.#k = start.length;
    this.#origin = origin;
    this.labels = new Uint32Array(features.count);
    this.centres = new Float64Array(start.length * features.dim);
    start.forEach((centre, c) => {
      this.centres.set(centre, c * features.dim);
    });
    this.#upper = new Float64Array(features.count);
    this.#lower = new Float64Array(features.count);
    this.#sums = new Float64Array(this.centres.length);
    this.#sizes = new Float64Array(this.#k);
    this.#distances = new Float64Array(4 * Math.ceil(this.#k / 4));
    this.#packed = new Float64Array(this.#distances.length * features.dim);
    this.#pack();
  }

  /** Puts every tile into its nearest cluster (the first of equals); returns how many changed. */
  assign(): number {
    const { data, count, dim } = this.#features;
    const halfGap = this.#halfGaps();
    let moved = 0;
    for (let i = 0; i < count; i++) {
      const own = this.labels[i] ?? 0;
      const safe = Math.max(this.#lower[i] ?? 0, halfGap[own] ?? 0);
      if (!this.#first) {
        if ((this.#upper[i] ?? 0) < safe) continue;
        const exact = Math.sqrt(squaredDistance(data, i * dim, this.centres.subarray(own * dim, (own + 1) * dim)));
        this.#upper[i] = exact;
        if (exact < safe) continue;
      }
      if (this.#reassign(i)) moved++;
    }
    this.#first = false;
    return moved;
  }

  /** Full comparison of one tile with all centres; true when it moved (or was placed first). */
  #reassign(i: number): boolean {
    this.#measure(i);
    let nearest = 0;
    let second = Number.POSITIVE_INFINITY;
    for (let c = 1; c < this.#k; c++) {
      const distance = this.#distances[c] ?? 0;
      const least = this.#distances[nearest] ?? 0;
      if (distance < least) {
        second = least;
        nearest = c;
      } else if (distance < second) second = distance;
    }
    this.#upper[i] = Math.sqrt(this.#distances[nearest] ?? 0);
    this.#lower[i] = Math.sqrt(second);
    const own = this.labels[i] ?? 0;
    if (!this.#first && own === nearest) return false;
    this.#account(i, this.#first ? null : own, nearest);
    this.labels[i] = nearest;
    return true;
  }

  /** Squared distances of a tile to all centres, four at a time. */
  #measure(i: number): void {
    const { data, dim } = this.#features;
    const packed = this.#packed;
    const start = i * dim;
    for (let c = 0, at = 0; c < this.#k; c += 4) {
      let s0 = 0;
      let s1 = 0;
      let s2 = 0;
      let s3 = 0;
      for (let j = 0; j < dim; j++, at += 4) {
        const x = data[start + j] as number;
        const d0 = x - (packed[at] as number);
        const d1 = x - (packed[at + 1] as number);
        const d2 = x - (packed[at + 2] as number);
        const d3 = x - (packed[at + 3] as number);
        s0 += d0 * d0;
        s1 += d1 * d1;
        s2 += d2 * d2;
        s3 += d3 * d3;
      }
      this.#distances[c] = s0;
      this.#distances[c + 1] = s1;
      this.#distances[c + 2] = s2;
      this.#distances[c + 3] = s3;
    }
  }

  #pack(): void {
    const { dim } = this.#features;
    for (let c = 0; c < this.#k; c++) {
      const block = Math.floor(c / 4) * 4 * dim;
      for (let j = 0; j < dim; j++) this.#packed[block + 4 * j + (c % 4)] = this.centres[c * dim + j] as number;
    }
  }

  /** Sums are kept relative to the overall mean, so that moving tiles in and out does not erode their digits. */
  #account(i: number, from: number | null, to: number): void {
    const { data, dim } = this.#features;
    for (let j = 0, at = i * dim; j < dim; j++, at++) {
      const value = (data[at] as number) - (this.#origin[j] as number);
      const into = to * dim + j;
      this.#sums[into] = (this.#sums[into] as number) + value;
      if (from !== null) this.#sums[from * dim + j] = (this.#sums[from * dim + j] as number) - value;
    }
    this.#sizes[to] = (this.#sizes[to] ?? 0) + 1;
    if (from !== null) this.#sizes[from] = (this.#sizes[from] ?? 0) - 1;
  }

  /** Every centre to the mean of its tiles; bounds widened by how far the centres went. */
  moveCentres(): void {
    const { count, dim } = this.#features;
    const shifts = new Float64Array(this.#k);
    for (let c = 0; c < this.#k; c++) {
      const size = this.#sizes[c] ?? 0;
      if (size === 0) continue;
      let squares = 0;
      for (let j = 0; j < dim; j++) {
        const next = (this.#sums[c * dim + j] as number) / size + (this.#origin[j] as number);
        squares += (next - (this.centres[c * dim + j] as number)) ** 2;
        this.centres[c * dim + j] = next;
      }
      shifts[c] = Math.sqrt(squares);
    }
    this.#pack();
    const largest = shifts.reduce((a, b) => Math.max(a, b), 0);
    for (let i = 0; i < count; i++) {
      this.#upper[i] = (this.#upper[i] ?? 0) + (shifts[this.labels[i] ?? 0] ?? 0);
      this.#lower[i] = (this.#lower[i] ?? 0) - largest;
    }
  }

  /** Half the distance from each centre to its nearest neighbour: a tile closer than that cannot move. */
  #halfGaps(): Float64Array {
    const { dim } = this.#features;
    const gaps = new Float64Array(this.#k).fill(Number.POSITIVE_INFINITY);
    for (let a = 0; a < this.#k; a++) {
      for (let b = 0; b < a; b++) {
        let squares = 0;
        for (let j = 0; j < dim; j++) {
          squares += ((this.centres[a * dim + j] as number) - (this.centres[b * dim + j] as number)) ** 2;
        }
        const half = Math.sqrt(squares) / 2;
        gaps[a] = Math.min(gaps[a] ?? half, half);
        gaps[b] = Math.min(gaps[b] ?? half, half);
      }
    }
    return gaps;
  }
}
