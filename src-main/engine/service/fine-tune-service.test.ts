import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FineTuneRequest } from '../../../src-shared/model/fine-tune.ts';
import { DEFAULT_FINE_TUNING } from '../../../src-shared/model/fine-tune.ts';
import { asId, type JobId } from '../../../src-shared/model/ids.ts';
import type { Job } from '../../../src-shared/model/job.ts';
import { DEFAULT_GRID, DEFAULT_TISSUE } from '../../../src-shared/model/run.ts';
import { DEFAULT_STUDY_TRAINING, type Study, type StudyRow } from '../../../src-shared/model/study.ts';
import { backbonePath } from '../backbone/registry.ts';
import { createEngine } from '../create-engine.ts';
import type { Engine } from '../engine.ts';
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
  const [backbone] = await engine.api.listBackbones();
  const rows = await openCohort(6);
  const ids = rows.map(({ slideId }) => slideId);
  const split = { train: ids.slice(0, 2), validation: ids.slice(2, 4), test: ids.slice(4) };
  const { studyId, jobId } = await engine.api.startStudy({
    ...DEFAULT_STUDY_TRAINING,
    ...{ name: 'Lesions', rows, patientsUnknown: false, backboneId: backbone?.id ?? asId(''), cut: 'stem' },
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
    const { studyId, jobId } = await engine.api.fineTuneStudy(request());
    const stop = engine.subscribe((event) => {
      if (event.type === 'job' && event.job.id === jobId && event.job.progress.stage === 'Fine-tuning') {
        stop();
        void engine.api.cancelJob(jobId);
      }
    });
    expect(await ended(jobId)).toMatchObject({ state: 'cancelled' });
    await expect(engine.api.getStudy(studyId)).rejects.toMatchObject({ code: 'NotFound' });
    await engine.api.resumeJob(jobId);
    expect(await ended(jobId)).toMatchObject({ error: null, state: 'done' });
    const result = await engine.api.getStudy(studyId);
    const cards = await engine.api.listBackbones();
    const [from, to] = [study.plan.backboneId, result.plan.backboneId].map((id) =>
      cards.find((card) => card.id === id),
    );
    expect(to).toMatchObject({ origin: 'histology', builtIn: false, defaultCut: 'stem' });
    expect(to?.method).toMatch(/fine-tuned end to end on slide labels: 3 most attended tiles of 2 slides of "Lesions"/);
    expect(to?.source).toContain(from?.name);
    expect(to?.cuts.map(({ name }) => name)).toEqual(['stem']);
    expect(result.outcome?.predictions.map(({ slideId }) => slideId).sort()).toEqual(
      [...(study.outcome?.splits[0]?.test ?? [])].sort(),
    );
    expect(result.outcome?.curves[0]?.trainLoss).toHaveLength(2);

    const backbones = join(folder, 'store', 'backbones');
    const [before, after] = [
      await readModelFile(backbonePath(backbones, study.plan.backboneId)),
      await readModelFile(backbonePath(backbones, result.plan.backboneId)),
    ];
    const [old, tuned] = [constantsOf(before), constantsOf(after)];
    const changed = [...tuned].filter(([name, values]) => !values.every((value, i) => value === old.get(name)?.[i]));
    const norm = before.graph.nodes.find(({ op }) => op === 'BatchNormalization');
    const learned = ['Conv', 'BatchNormalization'].map((op) => before.graph.nodes.find((node) => node.op === op));
    const expected = [learned[0]?.inputs[1], ...(learned[1]?.inputs.slice(1, 3) ?? [])];
    expect(changed.map(([name]) => name).sort()).toEqual(expected.sort());
    for (const name of norm?.inputs.slice(3) ?? []) expect(tuned.get(name)).toEqual(old.get(name));
    expect(JSON.parse(after.metadata['hyaline.tuned'] ?? '{}')).toMatchObject({
      ...{ studyId: study.id, fold: 0, seed: 1, tiles: 3 },
      trainSlides: study.outcome?.splits[0]?.train,
    });
    expect(await readdir(join(folder, 'store', 'fine-tuning'))).toEqual([]);
  }, 120_000);

  it('names what cannot be fine-tuned', async () => {
    const refused = (changes: Partial<FineTuneRequest>) =>
      expect(engine.api.fineTuneStudy(request(changes))).rejects.toMatchObject({ code: 'InvalidRequest' });
    await refused({ fold: 4 });
    await refused({ seed: 99 });
    await refused({ tiles: 0 });
    await refused({ tilesPerStep: 9 });
    await refused({ epochs: 0 });
    await refused({ rate: Number.NaN });
  });
});
