import { createHash } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BackboneCard } from '../../../../src-shared/model/backbone.ts';
import type { BackboneId, GridId, SlideId } from '../../../../src-shared/model/ids.ts';
import { asId } from '../../../../src-shared/model/ids.ts';
import type { MapDescription } from '../../../../src-shared/model/map.ts';
import { DEFAULT_GRID, DEFAULT_TISSUE, type Provenance, type Run } from '../../../../src-shared/model/run.ts';
import type { LaidGrid } from '../../grid/laid-grid.ts';
import { runIdOf } from '../canonical.ts';
import type { BackboneRecord, FeatureChunk, SlideRecord, Store, StoredMap } from '../store.ts';

/** Records for tests of the store: valid in every field, told apart by the name they are made from. */
export function hashOf(name: string): string {
  return createHash('sha256').update(name).digest('hex');
}

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'hyaline-store-'));
}

export function sampleSlide(name: string, openedAtMs = 1_000): SlideRecord {
  return {
    id: asId<SlideId>(hashOf(name)),
    path: `/slides/${name}.svs`,
    name: `${name}.svs`,
    sizeBytes: 5_000_000_000,
    mtimeMs: 1_700_000_000_000.25,
    info: {
      widthPx: 2220,
      heightPx: 2967,
      levels: [
        { widthPx: 2220, heightPx: 2967, downsample: 1, tileWidthPx: 240, tileHeightPx: 240, columns: 10, rows: 13 },
      ],
      mpp: { xUm: 0.499, yUm: 0.499, source: 'file' },
      objective: 20,
      vendor: 'aperio',
      reader: 'tiff',
      compression: 'jpeg',
      associated: [],
      hasIccProfile: false,
      warnings: ['Größe ≠ 1'],
    },
    userMppUm: null,
    openedAtMs,
    isDemo: false,
  };
}

export function sampleGrid(slideId: SlideId, tileCount: number): LaidGrid {
  const side = Math.ceil(Math.sqrt(tileCount));
  return {
    grid: {
      id: asId<GridId>(hashOf(`grid ${slideId} ${tileCount}`)),
      slideId,
      spec: DEFAULT_GRID,
      tissue: DEFAULT_TISSUE,
      columns: side,
      rows: side,
      tileLevel0Px: 224.45,
      strideLevel0Px: 224.45,
      tileCount,
      droppedCount: side * side - tileCount,
    },
    columns: Uint32Array.from({ length: tileCount }, (_, i) => i % side),
    rows: Uint32Array.from({ length: tileCount }, (_, i) => Math.floor(i / side)),
  };
}

export function sampleBackbone(name: string): BackboneRecord {
  const card: BackboneCard = {
    id: asId<BackboneId>(hashOf(`backbone ${name}`)),
    name,
    architecture: 'resnet18',
    origin: 'random',
    method: 'he-normal, seed 1',
    licence: 'none',
    source: 'made here',
    input: {
      widthPx: 224,
      heightPx: 224,
      layout: 'NCHW',
      channelOrder: 'RGB',
      scale: 1 / 255,
      mean: [0.485, 0.456, 0.406],
      std: [0.229, 0.224, 0.225],
    },
    inputName: 'input',
    parameters: 11_689_512,
    sizeBytes: 46_000_000,
    trainedMpp: null,
    cuts: [],
    defaultCut: 'layer4',
    builtIn: false,
    assumed: [],
  };
  return { card, fileName: `${name}.onnx` };
}

/** A run of a backbone on a grid; its identity follows from the arguments. */
export function sampleRun(laid: LaidGrid, backbone: BackboneRecord, dim: number, cut = 'layer4', createdAtMs = 5): Run {
  const { grid } = laid;
  const provenance: Provenance = {
    slideId: grid.slideId,
    slideReader: 'tiff',
    mppUm: 0.499,
    mppSource: 'file',
    backboneId: backbone.card.id,
    backboneName: backbone.card.name,
    backboneOrigin: backbone.card.origin,
    cut,
    featureDim: dim,
    gridId: grid.id,
    grid: grid.spec,
    tissue: grid.tissue,
    normalisation: 'none',
    precision: 'float32',
    batchSize: 16,
    threads: 2,
    device: 'CPU',
    deviceDetail: '',
    seed: 1,
    versions: { hyaline: '0.1.0' },
  };
  return {
    id: runIdOf(provenance),
    slideId: grid.slideId,
    backboneId: backbone.card.id,
    backboneName: backbone.card.name,
    cut,
    state: 'running',
    tileCount: grid.tileCount,
    tilesDone: 0,
    createdAtMs,
    finishedAtMs: null,
    secondsSpent: 0,
    provenance,
    jobId: null,
  };
}

/** Feature values that are a function of tile and dimension, so that any reader can check them. */
export function sampleChunk(run: Run, firstTile: number, tileCount: number): FeatureChunk {
  const dim = run.provenance.featureDim;
  const values = Float32Array.from({ length: tileCount * dim }, (_, i) =>
    featureValue(firstTile + Math.floor(i / dim), i % dim),
  );
  return { runId: run.id, firstTile, tileCount, dim, values };
}

export function featureValue(tile: number, dimension: number): number {
  return Math.fround(Math.sin(tile * 12.9898 + dimension * 78.233) * 43.758);
}

export function sampleMap(run: Run, seed: number): StoredMap {
  const description: MapDescription = {
    runId: run.id,
    spec: { kind: 'clusters', k: 3, seed },
    columns: 2,
    rows: 2,
    strideLevel0Px: 224.45,
    tileLevel0Px: 224.45,
    channels: 1,
    range: [0, 2],
    categories: [],
    legend: 'Clusters',
    explanation: 'Tiles of like features.',
    varianceShare: [],
    query: null,
  };
  return { description, values: Float32Array.of(0, 1, Number.NaN, 2) };
}

/** A slide, its grid, a backbone and an empty run, all stored. */
export async function storeSample(store: Store, name: string, tileCount: number, dim: number): Promise<Run> {
  const slide = sampleSlide(name);
  const laid = sampleGrid(slide.id, tileCount);
  const backbone = sampleBackbone('random');
  const run = sampleRun(laid, backbone, dim);
  await store.putSlide(slide);
  await store.putGrid(laid);
  await store.putBackbone(backbone);
  await store.createRun(run);
  return run;
}
