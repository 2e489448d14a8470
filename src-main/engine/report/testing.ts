import sharp from 'sharp';
import { asId, type BackboneId, type GridId, type RunId, type SlideId } from '../../../src-shared/model/ids.ts';
import {
  DEFAULT_TISSUE,
  type GridSpec,
  type Provenance,
  type Run,
  type TileGrid,
} from '../../../src-shared/model/run.ts';
import { nextGaussian, seededRandom } from '../../../src-shared/numeric/random.ts';
import { type LaidGrid, tileRef } from '../grid/laid-grid.ts';
import { computeMap } from '../map/compute-map.ts';
import type { ReportGallery, ReportInput, ReportMap } from './report-input.ts';

/** A small case for tests: every cell of a 6 x 4 grid but the first holds a tile, features are random by seed. */
export const TEST_SLIDE = { widthPx: 1400, heightPx: 1000, mppUm: 0.4987 } as const;

const SPEC: GridSpec = { mpp: 0.5, tileUm: 112, strideUm: 112, minTissueFraction: 0.5 };
const STRIDE_PX = SPEC.strideUm / TEST_SLIDE.mppUm;
const slideId = asId<SlideId>('5'.repeat(64));

export function testGrid(): LaidGrid {
  const columns = 6;
  const rows = 4;
  const cells = Array.from({ length: columns * rows - 1 }, (_, i) => i + 1);
  const grid: TileGrid = {
    id: asId<GridId>('6'.repeat(64)),
    slideId,
    spec: SPEC,
    tissue: DEFAULT_TISSUE,
    columns,
    rows,
    tileLevel0Px: STRIDE_PX,
    strideLevel0Px: STRIDE_PX,
    tileCount: cells.length,
    droppedCount: 1,
  };
  return {
    grid,
    columns: Uint32Array.from(cells, (i) => i % columns),
    rows: Uint32Array.from(cells, (i) => Math.floor(i / columns)),
  };
}

export function testMaps(laid: LaidGrid): readonly ReportMap[] {
  const random = seededRandom(1);
  const featureDim = 8;
  const features = Float32Array.from({ length: laid.columns.length * featureDim }, () => nextGaussian(random));
  const runId = asId<RunId>('run-1');
  const specs = [{ kind: 'pca' }, { kind: 'clusters', k: 3, seed: 1 }, { kind: 'similarity', tileIndex: 7 }] as const;
  return specs.map((spec) => ({ ...computeMap({ spec, features, featureDim, laid, runId }), colourMap: 'inferno' }));
}

/** A plain picture as JPEG. */
export async function plainImage(widthPx: number, heightPx: number, background = '#c080a0'): Promise<Uint8Array> {
  return await sharp({ create: { width: widthPx, height: heightPx, channels: 3, background } })
    .jpeg()
    .toBuffer();
}

function testProvenance(grid: TileGrid): Provenance {
  return {
    slideId,
    slideReader: 'tiff',
    mppUm: TEST_SLIDE.mppUm,
    mppSource: 'user',
    backboneId: asId<BackboneId>('7'.repeat(64)),
    backboneName: 'random-resnet18',
    backboneOrigin: 'random',
    cut: 'layer4',
    featureDim: 512,
    gridId: grid.id,
    grid: SPEC,
    tissue: DEFAULT_TISSUE,
    normalisation: 'none',
    precision: 'float32',
    batchSize: 16,
    threads: 2,
    device: 'CPU',
    deviceDetail: '2 cores',
    seed: 1,
    versions: { onnxruntime: '1.30.0', node: '24.21.0' },
  };
}

function testRun(grid: TileGrid): Run {
  const provenance = testProvenance(grid);
  return {
    id: asId<RunId>('run-1'),
    slideId,
    backboneId: provenance.backboneId,
    backboneName: provenance.backboneName,
    cut: provenance.cut,
    state: 'done',
    tileCount: grid.tileCount,
    tilesDone: grid.tileCount,
    createdAtMs: 1_795_298_000_000,
    finishedAtMs: 1_795_298_060_000,
    secondsSpent: 58.3,
    provenance,
    jobId: null,
  };
}

/** A whole report's input; `edits` replaces parts of it. */
export async function testReportInput(edits: Partial<ReportInput> = {}): Promise<ReportInput> {
  const laid = testGrid();
  const image = await plainImage(64, 64);
  const gallery: ReportGallery = {
    title: 'Tiles most like tile 7',
    explanation: 'By cosine similarity, best first.',
    tiles: [3, 9, 11].map((index, i) => ({ tile: tileRef(laid, index), score: 0.9 - i / 10, image })),
  };
  const { widthPx, heightPx } = TEST_SLIDE;
  const level = { widthPx, heightPx, downsample: 1, tileWidthPx: 240, tileHeightPx: 240, columns: 6, rows: 5 };
  return {
    createdAtMs: 1_795_298_400_000,
    appVersion: '0.1.0',
    notice: 'For research use only. Not intended for clinical, diagnostic or therapeutic purposes.',
    heading: '',
    viewedThroughProfile: false,
    remarks: '',
    includeSlideName: false,
    slide: {
      name: 'JANE-DOE-1950.svs',
      sizeBytes: 123_456,
      info: {
        widthPx,
        heightPx,
        levels: [level],
        mpp: null,
        objective: null,
        vendor: 'aperio',
        reader: 'tiff',
        compression: 'jpeg',
        associated: [{ name: 'label', widthPx: 10, heightPx: 10 }],
        hasIccProfile: false,
        warnings: [],
      },
      mpp: { xUm: TEST_SLIDE.mppUm, yUm: TEST_SLIDE.mppUm, source: 'user' },
    },
    thumbnail: await plainImage(350, 250),
    run: testRun(laid.grid),
    grid: laid.grid,
    maps: testMaps(laid),
    galleries: [gallery],
    ...edits,
  };
}
