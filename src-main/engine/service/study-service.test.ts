import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asId } from '../../../src-shared/model/ids.ts';
import { DEFAULT_GRID, DEFAULT_TISSUE } from '../../../src-shared/model/run.ts';
import { DEFAULT_STUDY_TRAINING, type StudyPlan, type StudyRow } from '../../../src-shared/model/study.ts';
import { createEngine } from '../create-engine.ts';
import type { Engine } from '../engine.ts';
import { writeSynthetic } from '../slide/synthetic/write-synthetic.ts';

const SIDE_PX = 768;
let folder: string;
let engine: Engine;
let plan: StudyPlan;

/** Small slides, every other one with a planted lesion; two per patient. */
async function openCohort(count: number): Promise<StudyRow[]> {
  const rows: StudyRow[] = [];
  for (let i = 0; i < count; i++) {
    const outPath = join(folder, `slide-${i}.tif`);
    const lesions = (i >> 1) % 2;
    await writeSynthetic({ outPath, widthPx: SIDE_PX, heightPx: SIDE_PX, seed: 100 + i, lesions });
    const slide = await engine.api.openSlide(engine.grant(outPath));
    rows.push({
      slideId: slide.id,
      slideName: slide.name,
      patient: `p${i >> 1}`,
      label: lesions ? 'lesion' : 'healthy',
      site: '',
      runId: null,
    });
  }
  return rows;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hyaline-study-'));
  engine = await createEngine({
    ...{ storeFolder: join(folder, 'store'), resourcesFolder: folder, host: 'cli', threads: 1 },
  });
  const [backbone] = await engine.api.listBackbones();
  plan = {
    ...DEFAULT_STUDY_TRAINING,
    ...{ name: 'Lesions', rows: await openCohort(12), patientsUnknown: false },
    ...{
      backboneId: backbone?.id ?? asId(''),
      cut: 'stem',
      splitting: { kind: 'folds', folds: 3, repeats: 1 },
      seeds: [1, 2],
      epochs: 3,
    },
    grid: { ...DEFAULT_GRID, mpp: 1, tileUm: 112, strideUm: 112, minTissueFraction: 0.1 },
    tissue: DEFAULT_TISSUE,
  };
}, 180_000);
afterAll(async () => {
  await engine.close();
  await rm(folder, { recursive: true, force: true });
});

async function finished(studyId: string): Promise<void> {
  for (;;) {
    const study = await engine.api.getStudy(asId(studyId));
    const job = (await engine.api.listJobs()).find(({ id }) => id === study.jobId);
    if (job?.state === 'failed') throw new Error(job.error?.message);
    if (study.outcome !== null) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

describe('a study in the engine', () => {
  it('goes from labelled slides to judged slides and a map of attention', async () => {
    const { studyId } = await engine.api.startStudy(plan);
    await finished(studyId);
    const { outcome } = await engine.api.getStudy(studyId);
    expect(outcome?.classes).toEqual(['healthy', 'lesion']);
    expect(outcome?.predictions).toHaveLength(12);
    expect(outcome?.curves).toHaveLength(6);
    expect(outcome?.figures.map(({ name }) => name)).toContain('AUC');
    for (const { probabilities } of outcome?.predictions ?? []) {
      expect(probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5);
    }
    const runId = outcome?.predictions[0]?.runId ?? asId('');
    const map = await engine.api.getMap(runId, { kind: 'attention', studyId, view: 'attention', classIndex: null });
    expect(map.legend).toContain('Lesions');
    expect(map.explanation).toContain('not where disease is');
    expect(map.explanation).toContain('2 heads');
    const csv = await engine.api.exportTilesCsv(runId, [map.spec]);
    expect(csv.sizeBytes).toBeGreaterThan(100);
  }, 240_000);

  it('names what is wrong with a plan before anything is trained', async () => {
    const same = { ...plan, rows: plan.rows.map((row) => ({ ...row, label: 'x' })) };
    await expect(engine.api.startStudy(same)).rejects.toThrow(/same label/);
    const twice = { ...plan, rows: [...plan.rows, ...plan.rows.slice(0, 1)] };
    await expect(engine.api.startStudy(twice)).rejects.toThrow(/twice/);
    const blank = { ...plan, rows: plan.rows.map((row) => ({ ...row, label: '' })) };
    await expect(engine.api.startStudy(blank)).rejects.toThrow(/no label/);
  });
});
