import { mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BackboneCard } from '../../../src-shared/model/backbone.ts';
import type { FineTuneRequest } from '../../../src-shared/model/fine-tune.ts';
import { DEFAULT_FINE_TUNING } from '../../../src-shared/model/fine-tune.ts';
import type { JobId } from '../../../src-shared/model/ids.ts';
import type { Job } from '../../../src-shared/model/job.ts';
import { DEFAULT_GRID, DEFAULT_TISSUE } from '../../../src-shared/model/run.ts';
import { DEFAULT_STUDY_TRAINING, type Study, type StudyRow, type StudySplit } from '../../../src-shared/model/study.ts';
import { makeCutModel } from '../backbone/derive.ts';
import { backbonePath } from '../backbone/registry.ts';
import { networkReadAt } from '../backbone/testing/network-read-at.ts';
import { createEngine } from '../create-engine.ts';
import type { Engine } from '../engine.ts';
import { ancestorNodes } from '../graph/cut.ts';
import { floatsOf, type OnnxModel } from '../graph/model.ts';
import { readModelFile } from '../infer/model-file.ts';
import { writeSynthetic } from '../slide/synthetic/write-synthetic.ts';

const SIDE_PX = 512;
let folder: string;
let engine: Engine;
let study: Study;

async function openCohort(count: number): Promise<StudyRow[]> {
  const rows: StudyRow[] = [];
  for (let i = 0; i < count; i++) {
    const outPath = join(folder, `slide-${i}.tif`);
    const lesions = i % 2;
    await writeSynthetic({ outPath, widthPx: SIDE_PX, heightPx: SIDE_PX, seed: 300 + i, lesions });
    const { id, name } = await engine.api.openSlide(engine.grant(outPath));
    const label = lesions ? 'lesion' : 'healthy';
    rows.push({ slideId: id, slideName: name, patient: `p${i}`, label, site: '', runId: null });
  }
  return rows;
}

/** The front of a ResNet18 up to layer2, on images of 32 px. */
async function smallBackbone(): Promise<BackboneCard> {
  const { bytes, card } = networkReadAt('resnet18', /^(conv1|bn1|layer[12])\b/, 32);
  const [modelPath, path] = [join(folder, 'whole.onnx'), join(folder, 'front.onnx')];
  await writeFile(modelPath, bytes);
  const cut = card.cuts.find(({ name }) => name === 'layer2');
  if (cut === undefined) throw new Error('a ResNet18 without layer2');
  await writeFile(path, await makeCutModel({ modelPath, card }, cut));
  return await engine.api.importBackbone(engine.grant(path), {});
}

async function ended(id: JobId): Promise<Job> {
  for (;;) {
    const job = (await engine.api.listJobs()).find((candidate) => candidate.id === id);
    if (job !== undefined && job.state !== 'queued' && job.state !== 'running') return job;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const request = (changes: Partial<FineTuneRequest> = {}): FineTuneRequest => ({
  ...DEFAULT_FINE_TUNING,
  ...{ studyId: study.id, tiles: 3, epochs: 2, rate: 1e-4 },
  ...changes,
});

const constantsOf = (model: OnnxModel): Map<string, Float32Array> =>
  new Map(model.graph.initializers.map((tensor) => [tensor.name, floatsOf(tensor)]));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hyaline-tune-'));
  engine = await createEngine({
    ...{ storeFolder: join(folder, 'store'), resourcesFolder: folder, host: 'cli', threads: 1 },
  });
  const backbone = await smallBackbone();
  const rows = await openCohort(6);
  const ids = rows.map(({ slideId }) => slideId);
  const split = { train: ids.slice(0, 2), validation: ids.slice(2, 4), test: ids.slice(4) };
  const { studyId, jobId } = await engine.api.startStudy({
    ...DEFAULT_STUDY_TRAINING,
    ...{ name: 'Lesions', rows, patientsUnknown: false, backboneId: backbone.id, cut: 'layer1' },
    ...{ splitting: { kind: 'given', from: 'this test', splits: [split] }, seeds: [1], epochs: 2 },
    grid: { ...DEFAULT_GRID, mpp: 1, tileUm: 112, strideUm: 112, minTissueFraction: 0.05 },
    tissue: DEFAULT_TISSUE,
  });
  expect(await ended(jobId)).toMatchObject({ error: null, state: 'done' });
  study = await engine.api.getStudy(studyId);
}, 180_000);
afterAll(async () => {
  await engine.close();
  await rm(folder, { recursive: true, force: true });
});

describe('fine-tuning a study', () => {
  it('stops, goes on, and ends as a backbone that says what it is and as a study judged on the same test slides', async () => {
    const { studyId, jobId } = await engine.api.fineTuneStudy(request({ frozenUpTo: 'stem', headRate: 1e-3 }));
    const stop = engine.subscribe((event) => {
      if (event.type === 'job' && event.job.id === jobId && event.job.progress.stage === 'Fine-tuning') {
        stop();
        void engine.api.cancelJob(jobId);
      }
    });
    expect(await ended(jobId)).toMatchObject({ state: 'cancelled' });
    // What is not done yet stands where it will end, on the backbone it begins with.
    const stopped = await engine.api.getStudy(studyId);
    expect(stopped).toMatchObject({ outcome: null, jobId, plan: { backboneId: study.plan.backboneId } });
    // Asked for again with the same settings, it goes on; so it does from its own page.
    expect(await engine.api.fineTuneStudy(request({ frozenUpTo: 'stem', headRate: 1e-3 }))).toEqual({ studyId, jobId });
    expect(await engine.api.trainStudy(studyId)).toEqual({ studyId, jobId });
    expect(await ended(jobId)).toMatchObject({ error: null, state: 'done' });
    const result = await engine.api.getStudy(studyId);
    const cards = await engine.api.listBackbones();
    const [from, to] = [study.plan.backboneId, result.plan.backboneId].map((id) =>
      cards.find((card) => card.id === id),
    );
    expect(to).toMatchObject({ origin: 'histology', builtIn: false, defaultCut: 'layer1', licence: from?.licence });
    expect(to?.tuned).toMatchObject({ from: from?.id, studyId: study.id, frozenUpTo: 'stem', headRate: 1e-3 });
    expect(to?.tuned).toEqual(result.plan.fineTuning);
    expect(to?.method).toMatch(/fine-tuned end to end on slide labels: 3 most attended tiles of 2 slides of "Lesions"/);
    expect(to?.source).toContain(from?.name);
    expect(to?.cuts.map(({ name }) => name)).toEqual(['stem', 'layer1']);
    expect(result.outcome?.predictions.map(({ slideId }) => slideId).sort()).toEqual(
      [...(study.outcome?.splits[0]?.test ?? [])].sort(),
    );
    expect(result.outcome?.curves[0]?.trainLoss).toHaveLength(2);
    expect(result.outcome?.trainedOn).toEqual(study.outcome?.trainedOn);
    expect(result.outcome?.trainedOn?.map(({ device }) => device)).toEqual(['CPU']);

    const backbones = join(folder, 'store', 'backbones');
    const [before, after] = [
      await readModelFile(backbonePath(backbones, study.plan.backboneId)),
      await readModelFile(backbonePath(backbones, result.plan.backboneId)),
    ];
    const [old, tuned] = [constantsOf(before), constantsOf(after)];
    const changed = [...tuned].filter(([name, values]) => !values.every((value, i) => value === old.get(name)?.[i]));
    const kept = new Set(ancestorNodes(after.graph, [from?.cuts[0]?.tensor ?? '']).map(({ name }) => name));
    const learned = after.graph.nodes.filter(({ name }) => !kept.has(name));
    const at = (op: string, places: readonly number[]) =>
      learned.filter((node) => node.op === op).flatMap(({ inputs }) => places.map((place) => inputs[place] ?? ''));
    // Two blocks of two convolutions; running statistics and the stem stay as they are.
    const expected = [...at('Conv', [1]), ...at('BatchNormalization', [1, 2])];
    expect(expected).toHaveLength(12);
    expect(changed.map(([name]) => name).sort()).toEqual(expected.sort());
    const change = result.outcome?.tunedChange;
    expect(change?.testSlides).toBe(2);
    expect(change?.change.cuts.map(({ cut }) => cut)).toEqual(['stem', 'layer1']);
    const [stem, layer1] = change?.change.cuts ?? [];
    expect(stem?.unbiased).toBeCloseTo(1, 6);
    expect(stem?.biased).toBeCloseTo(1, 6);
    expect(layer1?.unbiased).toBeLessThan(1 - 1e-6);
    expect(layer1?.biased).toBeGreaterThan(0.5);
    expect(JSON.parse(after.metadata['hyaline.tuned'] ?? '{}')).toMatchObject({
      ...{ studyId: study.id, fold: 0, seed: 1, tiles: 3 },
      trainSlides: study.outcome?.splits[0]?.train,
    });
    expect(await readdir(join(folder, 'store', 'fine-tuning'))).toEqual([]);
  }, 120_000);

  it('never lets a study test on slides that its backbone was fine-tuned on', async () => {
    const result = (await engine.api.listStudies()).find(({ plan }) => plan.fineTuning !== undefined);
    const [split] = study.outcome?.splits ?? [];
    if (result === undefined || split === undefined) throw new Error('nothing was fine-tuned');
    const { fineTuning: _, ...plan } = result.plan;
    const with3 = (splits: StudySplit) =>
      engine.api.auditStudy({ ...plan, splitting: { kind: 'given', from: 'this test', splits: [splits] } });
    expect((await with3(split)).splits).toHaveLength(1);
    const { train, validation, test } = split;
    for (const [judged, instead] of [
      [train, test],
      [validation, test],
    ] as const) {
      const parts =
        judged === train ? { train: instead, validation, test: judged } : { train, validation: instead, test: judged };
      const [first] = judged;
      const name = plan.rows.find(({ slideId }) => slideId === first)?.slideName ?? '?';
      await expect(with3(parts)).rejects.toMatchObject({
        code: 'InvalidRequest',
        message: expect.stringContaining(name),
      });
    }
    // On the backbone it began as, anything may be tested.
    const parts = { train: test, validation, test: train };
    const splitting = { kind: 'given', from: 'this test', splits: [parts] } as const;
    const frozen = { ...plan, backboneId: study.plan.backboneId, cut: 'layer1', splitting };
    expect((await engine.api.auditStudy(frozen)).splits).toHaveLength(1);
  });

  it('says what it would take, and which slide is gone before anything is trained', async () => {
    const forecast = await engine.api.forecastFineTuning(request());
    expect(forecast).toMatchObject({ trainSlides: 2, validationSlides: 2, testSlides: 2, tilesPerEpoch: 6 });
    expect(forecast.freezable).toEqual(['stem']);
    expect(forecast.seconds).toBeGreaterThan(0);
    expect(forecast.device).toBe('CPU');
    const kept = await engine.api.forecastFineTuning(request({ frozenUpTo: 'stem' }));
    expect(kept.trainedParameters).toBeLessThan(forecast.trainedParameters);
    await rename(join(folder, 'slide-1.tif'), join(folder, 'moved.tif'));
    const { studyId, jobId } = await engine.api.fineTuneStudy(request());
    expect(await ended(jobId)).toMatchObject({
      state: 'failed',
      error: { code: 'InvalidRequest', message: expect.stringContaining('slide-1.tif') },
    });
    await rename(join(folder, 'moved.tif'), join(folder, 'slide-1.tif'));
    await engine.api.removeStudy(studyId);
  });

  it('names what cannot be fine-tuned', async () => {
    const refused = (changes: Partial<FineTuneRequest>) =>
      expect(engine.api.fineTuneStudy(request(changes))).rejects.toMatchObject({ code: 'InvalidRequest' });
    await refused({ fold: 4 });
    await refused({ seed: 99 });
    await refused({ tiles: 0 });
    await refused({ tilesPerStep: 9 });
    await refused({ epochs: 0 });
    await refused({ rate: Number.NaN });
    await refused({ headRate: 2 });
    await refused({ frozenUpTo: 'layer1' });
  });
});
