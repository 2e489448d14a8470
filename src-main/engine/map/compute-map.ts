import { AppError } from '../../../src-shared/errors.ts';
import type { RunId } from '../../../src-shared/model/ids.ts';
import type { MapDescription, MapSpec } from '../../../src-shared/model/map.ts';
import { CATEGORY_COLOURS, categoryRgb } from '../../../src-shared/numeric/colour-maps.ts';
import { quantiles } from '../../../src-shared/numeric/quantile.ts';
import { type LaidGrid, tileRef } from '../grid/laid-grid.ts';
import { kMeans } from './clusters.ts';
import { type FeatureMatrix, featureMatrix } from './feature-matrix.ts';
import { pca } from './pca.ts';
import { similarityToTile } from './similarity.ts';

export interface MapInput {
  readonly spec: MapSpec;
  /** Float32, tiles x featureDim, in the order of the grid's tile list. */
  readonly features: Float32Array;
  readonly featureDim: number;
  readonly laid: LaidGrid;
  readonly runId: RunId;
}

export interface ComputedMap {
  readonly description: MapDescription;
  /** Float32, rows x columns x channels, NaN where the grid has no tile. */
  readonly values: Float32Array;
}

/** What a kind of map adds to the grid's own facts: values per tile (tiles x channels) and how to read them. */
interface TileValues
  extends Pick<
    MapDescription,
    'channels' | 'range' | 'categories' | 'legend' | 'explanation' | 'varianceShare' | 'query'
  > {
  readonly perTile: Float32Array;
}

/** Clusters a map can show: as many as there are colours that can be told apart. */
export const MAX_CLUSTERS = CATEGORY_COLOURS.length;

/**
 * Any map of one run from its cached features; needs no label and no drawing. Deterministic: the spec holds every seed.
 * @throws AppError InvalidRequest for a spec or features that do not fit the grid, BackboneFailed for features that are
 * not numbers.
 */
export function computeMap({ spec, features, featureDim, laid, runId }: MapInput): ComputedMap {
  const matrix = featureMatrix(features, featureDim);
  if (matrix.count !== laid.columns.length) {
    throw new AppError('InvalidRequest', 'The stored features do not fit the tiles of this run.', {
      advice: 'Run the analysis again.',
      detail: `${matrix.count} feature rows, ${laid.columns.length} tiles`,
    });
  }
  const { perTile, ...reading } = tileValues(spec, matrix, laid);
  return {
    description: { runId, spec, ...mapLattice(laid), ...reading },
    values: overGrid(perTile, reading.channels, laid),
  };
}

function tileValues(spec: MapSpec, matrix: FeatureMatrix, laid: LaidGrid): TileValues {
  switch (spec.kind) {
    case 'pca':
      return pcaValues(matrix);
    case 'clusters':
      return clusterValues(matrix, spec.k, spec.seed);
    case 'similarity':
      return similarityValues(matrix, laid, spec.tileIndex);
    default:
      throw new AppError('InvalidRequest', 'This kind of map is not known.', { detail: JSON.stringify(spec) });
  }
}

/** The cells of a map. Free tiles fill several small cells each, drawn as they are. */
export function mapLattice(
  laid: LaidGrid,
): Pick<MapDescription, 'columns' | 'rows' | 'strideLevel0Px' | 'tileLevel0Px'> {
  const { columns, rows, strideLevel0Px, tileLevel0Px } = laid.grid;
  return {
    ...{ columns, rows, strideLevel0Px },
    tileLevel0Px: laid.cornersPx === undefined ? tileLevel0Px : strideLevel0Px,
  };
}

/** Values of tiles (tiles x channels) spread over the rows x columns of the grid. */
export function overGrid(perTile: Float32Array, channels: number, laid: LaidGrid): Float32Array {
  const values = new Float32Array(laid.grid.rows * laid.grid.columns * channels).fill(Number.NaN);
  for (let i = 0; i < laid.columns.length; i++) {
    const cell = (laid.rows[i] ?? 0) * laid.grid.columns + (laid.columns[i] ?? 0);
    for (let c = 0; c < channels; c++) values[cell * channels + c] = perTile[i * channels + c] ?? Number.NaN;
  }
  if (laid.cornersPx !== undefined) fillFreeTiles(values, perTile, channels, laid);
  return values;
}

/** Every tile's own cell holds its value; of the other cells it covers, those no tile has for its own. */
function fillFreeTiles(values: Float32Array, perTile: Float32Array, channels: number, laid: LaidGrid): void {
  const { columns, rows, strideLevel0Px, tileLevel0Px } = laid.grid;
  const span = Math.round(tileLevel0Px / strideLevel0Px);
  for (let i = 0; i < laid.columns.length; i++) {
    const [column, row] = [laid.columns[i] ?? 0, laid.rows[i] ?? 0];
    for (let r = row; r < Math.min(rows, row + span); r++) {
      for (let k = column; k < Math.min(columns, column + span); k++) {
        const at = (r * columns + k) * channels;
        if (!Number.isNaN(values[at])) continue;
        for (let c = 0; c < channels; c++) values[at + c] = perTile[i * channels + c] ?? Number.NaN;
      }
    }
  }
}

/** The seed matters by rounding only (see `pca`), so that no user has to choose it. */
const PCA_SEED = 1;

function pcaValues(matrix: FeatureMatrix): TileValues {
  const { scores, varianceShare } = pca(matrix, 3, PCA_SEED);
  const perTile = new Float32Array(matrix.count * 3);
  for (let c = 0; c < 3; c++) {
    const column = Float64Array.from({ length: matrix.count }, (_, i) => scores[i * 3 + c] ?? 0);
    const [low = 0, high = 0] = quantiles(column, [0.01, 0.99]);
    column.forEach((score, i) => {
      perTile[i * 3 + c] = high > low ? Math.min(1, Math.max(0, (score - low) / (high - low))) : 0.5;
    });
  }
  const share = varianceShare.reduce((sum, x) => sum + x, 0);
  return {
    perTile,
    channels: 3,
    range: [0, 1],
    categories: [],
    legend: 'Principal components of the features as red, green and blue',
    explanation:
      share > 0
        ? `Tiles of similar colour look alike to the backbone; the three components hold ${percent(share)} of the variation ` +
          'among the tiles of this slide, each stretched from its 1st to its 99th percentile. ' +
          'A colour has no meaning of its own, is not comparable between slides, and does not point at disease.'
        : 'All tiles look the same to the backbone, so there is nothing to tell apart.',
    varianceShare: Array.from(varianceShare),
    query: null,
  };
}

function clusterValues(matrix: FeatureMatrix, k: number, seed: number): TileValues {
  if (!Number.isInteger(k) || k < 2 || k > MAX_CLUSTERS) {
    throw new AppError('InvalidRequest', `The number of clusters must lie between 2 and ${MAX_CLUSTERS}.`, {
      advice: 'Choose another number of clusters.',
      detail: `k = ${k}`,
    });
  }
  const { labels, sizes } = kMeans(matrix, { k, seed });
  const fewer = sizes.length < k ? ` Only ${count(sizes.length, 'cluster')} could be told apart.` : '';
  return {
    perTile: Float32Array.from(labels),
    channels: 1,
    range: [0, Math.max(0, sizes.length - 1)],
    categories: sizes.map((tileCount, i) => ({ label: `Cluster ${i + 1}`, rgb: categoryRgb(i), tileCount })),
    legend: 'Clusters of tiles that look alike to the backbone (k-means)',
    explanation:
      `Tiles are sorted into ${count(sizes.length, 'cluster')} by the distance of their features, the largest first.${fewer} ` +
      'Clusters are not tissue types or diagnoses: what one holds is for the reader to judge, and another number of ' +
      'clusters draws other borders.',
    varianceShare: [],
    query: null,
  };
}

function similarityValues(matrix: FeatureMatrix, laid: LaidGrid, tileIndex: number): TileValues {
  const similarity = similarityToTile(matrix, tileIndex);
  const [low = 0] = quantiles(similarity, [0.01]);
  return {
    perTile: Float32Array.from(similarity),
    channels: 1,
    range: [Math.min(low, 1), 1],
    categories: [],
    legend: 'Cosine similarity to the chosen tile',
    explanation:
      'The higher the value, the more a tile looks like the chosen one to the backbone: 1 is the same, the scale begins ' +
      'at the 1st percentile of this slide. Likeness of features is not likeness of diagnosis.',
    varianceShare: [],
    query: tileRef(laid, tileIndex),
  };
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}
