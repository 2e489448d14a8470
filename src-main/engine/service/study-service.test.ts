import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asId } from '../../../src-shared/model/ids.ts';
import { DEFAULT_GRID, DEFAULT_TISSUE } from '../../../src-shared/model/run.ts';
import { DEFAULT_STUDY_TRAINING, type StudyPlan, type StudyRow } from '../../../src-shared/model/study.ts';
import { describeDifferences } from '../../../src-shared/model/typicality.ts';
import { createEngine } from '../create-engine.ts';
import type { Engine } from '../engine.ts';
import { writeSynthetic } from '../slide/synthetic/write-synthetic.ts';

const SIDE_PX = 768;
let folder: string;
let engine: Engine;
let plan: StudyPlan;

/** Small slides, every other one with a planted lesion; two per patient. */
async function openCohort(count: number, from = 0): Promise<StudyRow[]> {
  const rows: StudyRow[] = [];
  for (let i = from; i < from + count; i++) {
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

async function ended(jobId: string): Promise<string> {
  for (;;) {
    const job = (await engine.api.listJobs()).find(({ id }) => id === jobId);
    if (job !== undefined && job.state !== 'queued' && job.state !== 'running') {
      return job.error === null ? job.state : `${job.state}: ${job.error.message} ${job.error.detail ?? ''}`;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('a study in the engine', () => {
  it('is made and looked at first, cancelled while it learns, and resumed to its end', async () => {
    const audit = await engine.api.auditStudy(plan);
    expect(audit).toMatchObject({ classes: ['healthy', 'lesion'], positiveClass: 'lesion', validationTaken: false });
    expect(audit.splits.map(({ test }) => test.slides)).toEqual([4, 4, 4]);
    const made = await engine.api.createStudy(plan);
    expect(made).toMatchObject({ outcome: null, jobId: null });
    const { jobId } = await engine.api.trainStudy(made.id);
    // Cancelled at the first sign that heads learn.
    const curves = await new Promise<number>((resolve) => {
      const unsubscribe = engine.subscribe((event) => {
        if (event.type !== 'study-progress' || event.studyId !== made.id) return;
        unsubscribe();
        void engine.api.studyProgress(made.id).then((progress) => {
          void engine.api.cancelJob(jobId);
          resolve(progress.curves.length);
        });
      });
    });
    expect(curves).toBeGreaterThan(0);
    expect(await ended(jobId)).toBe('cancelled');
    expect((await engine.api.getStudy(made.id)).outcome).toBeNull();
    expect((await engine.api.trainStudy(made.id)).jobId).toBe(jobId);
    expect(await ended(jobId)).toBe('done');
    const resumed = (await engine.api.getStudy(made.id)).outcome;
    expect(resumed?.predictions).toHaveLength(12);
    expect(resumed?.curves).toHaveLength(6);
    expect(resumed?.figures.map(({ name }) => name)).toContain('sensitivity');
    expect(resumed?.checks?.shuffled?.heads).toBe(3);
    for (const { train, validation, test } of resumed?.splits ?? []) {
      const patients = (ids: readonly string[]) =>
        plan.rows.filter(({ slideId }) => ids.includes(slideId)).map(({ patient }) => patient);
      expect(patients([...train, ...validation]).filter((patient) => patients(test).includes(patient))).toEqual([]);
    }
  }, 240_000);

  it('draws maps of its heads and judges slides by those that never saw them', async () => {
    const study = (await engine.api.listStudies()).find(({ plan: { name } }) => name === 'Lesions');
    const runId = study?.outcome?.predictions[0]?.runId ?? asId('');
    const studyId = study?.id ?? asId('');
    const map = await engine.api.getMap(runId, { kind: 'attention', studyId, view: 'attention', classIndex: null });
    expect(map.legend).toContain('Lesions');
    expect(map.explanation).toContain('not where disease is');
    expect(map.explanation).toContain('2 heads that never saw this slide');
    const apart = await engine.api.getMap(runId, { kind: 'attention', studyId, view: 'agreement', classIndex: null });
    expect(apart.legend).toContain('Disagreement');
    const csv = await engine.api.exportTilesCsv(runId, [map.spec, apart.spec]);
    expect(csv.sizeBytes).toBeGreaterThan(100);
    const own = await engine.api.predictSlide(studyId, runId);
    expect(own).toMatchObject({ seen: 'tested', heads: 2, classes: ['healthy', 'lesion'] });
    own.probabilities.forEach((p, c) => {
      expect(p).toBeCloseTo(study?.outcome?.predictions[0]?.probabilities[c] ?? Number.NaN, 6);
    });
    for (const format of ['pdf', 'csv', 'json'] as const) {
      expect((await engine.api.exportStudy(studyId, format)).sizeBytes).toBeGreaterThan(500);
    }
  }, 60_000);

  it('is validated on another study, locked, and never on slides or patients of its own', async () => {
    const study = (await engine.api.listStudies()).find(({ plan: { name } }) => name === 'Lesions');
    const studyId = study?.id ?? asId('');
    const others = (await openCohort(4, 40)).map((row) => ({ ...row, patient: `other ${row.patient}` }));
    const other = await engine.api.createStudy({
      ...plan,
      name: 'Elsewhere',
      rows: others,
      splitting: { kind: 'none' },
    });
    await expect(engine.api.trainStudy(other.id)).rejects.toThrow(/only there to validate/);
    const { jobId } = await engine.api.validateStudy(studyId, other.id);
    expect(await ended(jobId)).toBe('done');
    const [validation] = (await engine.api.getStudy(studyId)).outcome?.external ?? [];
    expect(validation).toMatchObject({ studyName: 'Elsewhere', slides: 4, patients: 2 });
    expect(validation?.headsSha256).toMatch(/^[0-9a-f]{64}$/);
    const unseen = await engine.api.predictSlide(studyId, validation?.predictions[0]?.runId ?? asId(''));
    expect(unseen).toMatchObject({ seen: 'unseen', heads: 6 });
    expect(unseen.typicality?.distance).toBeGreaterThan(0);
    unseen.probabilities.forEach((p, c) => {
      expect(p).toBeCloseTo(validation?.predictions[0]?.probabilities[c] ?? Number.NaN, 6);
    });
    const same = await engine.api.createStudy({ ...plan, name: 'Same' });
    await expect(engine.api.validateStudy(studyId, same.id)).rejects.toThrow(/in both studies: slide-/);
    const patients = others.map((row, i) => ({ ...row, patient: `p${i >> 1}` }));
    const sharing = await engine.api.createStudy({
      ...plan,
      name: 'Patients',
      rows: patients,
      splitting: { kind: 'none' },
    });
    await expect(engine.api.validateStudy(studyId, sharing.id)).rejects.toThrow(/patients are in both studies: p0, p1/);
  }, 120_000);

  it('warns of slides that are blurred or stained otherwise than its training slides, and not of the same slide', async () => {
    const study = (await engine.api.listStudies()).find(({ plan: { name } }) => name === 'Lesions');
    const studyId = study?.id ?? asId('');
    const source = join(folder, 'slide-0.tif');
    const image = async (change: (pixels: Sharp) => Sharp, name: string) => {
      const path = join(folder, `${name}.png`);
      await change(sharp(source)).png().toFile(path);
      const slide = await engine.api.openSlide(engine.grant(path));
      await engine.api.setSlideMpp(slide.id, mppUm);
      const { backboneId, cut, grid, tissue } = plan;
      const { runId, jobId } = await engine.api.startAnalysis({ slideId: slide.id, backboneId, cut, grid, tissue });
      if (jobId !== null) expect(await ended(jobId)).toBe('done');
      return (await engine.api.predictSlide(studyId, runId)).typicality;
    };
    const mppUm = (await engine.api.getSlide(plan.rows[0]?.slideId ?? asId(''))).mpp?.xUm ?? 0.5;
    const same = await image((pixels) => pixels, 'same');
    expect(same?.unlike).toBe(false);
    const blurred = await image((pixels) => pixels.blur(3), 'blurred');
    const stained = await image((pixels) => pixels.modulate({ hue: 40, saturation: 0.7 }), 'stained');
    // Less stain, the same forms.
    const paler = await image((pixels) => pixels.linear(0.75, 64), 'paler');
    expect(blurred).toMatchObject({ unlike: true, notCompared: [] });
    expect(blurred?.parts[0]?.part).toBe('sharpness');
    expect(blurred?.differences).toContainEqual(
      expect.objectContaining({ trait: 'sharpness', more: false, beyondAll: true }),
    );
    expect(blurred === null ? '' : describeDifferences(blurred)).toMatch(/its sharpness \(blurrier than any slide/);
    expect(stained).toMatchObject({ unlike: true, notCompared: [] });
    const beyond = stained?.parts.filter(({ distance }) => distance > stained.threshold).map(({ part }) => part);
    expect(beyond).toEqual(expect.arrayContaining(['colours', 'density']));
    // All that it was asked about is remembered, and neither its own slides nor those it was validated on.
    const asked = await engine.api.listAskedSlides(studyId);
    expect(asked.map(({ name, prediction }) => [name, prediction.typicality?.unlike])).toEqual([
      ...[
        ['paler.png', true],
        ['stained.png', true],
        ['blurred.png', true],
        ['same.png', false],
      ],
    ]);
    expect(paler?.unlike).toBe(true);
    expect(paler?.differences).toContainEqual(expect.objectContaining({ trait: 'darkness', more: false }));
  }, 120_000);

  it('is changed in place until it is trained, with what else its table says', async () => {
    const made = await engine.api.createStudy({ ...plan, name: 'Draft' });
    const rows = plan.rows.map((row, i) => ({ ...row, patient: `q${i >> 1}`, columns: { age: `${40 + i}` } }));
    await engine.api.updateStudy(made.id, { ...plan, name: 'Draft, corrected', rows });
    const kept = await engine.api.getStudy(made.id);
    expect(kept.plan).toMatchObject({ name: 'Draft, corrected', rows });
    const wrong = rows.map((row) => ({ ...row, label: 'x' }));
    await expect(engine.api.updateStudy(made.id, { ...plan, rows: wrong })).rejects.toThrow(/same label/);
    expect((await engine.api.getStudy(made.id)).plan.rows).toEqual(rows);
    const trained = (await engine.api.listStudies()).find(({ plan: { name } }) => name === 'Lesions');
    await expect(engine.api.updateStudy(trained?.id ?? asId(''), plan)).rejects.toThrow(/is trained/);
  });

  it('names what is wrong with a plan before anything is trained', async () => {
    const same = { ...plan, rows: plan.rows.map((row) => ({ ...row, label: 'x' })) };
    await expect(engine.api.startStudy(same)).rejects.toThrow(/same label/);
    const twice = { ...plan, rows: [...plan.rows, ...plan.rows.slice(0, 1)] };
    await expect(engine.api.startStudy(twice)).rejects.toThrow(/twice/);
    const blank = { ...plan, rows: plan.rows.map((row) => ({ ...row, label: '' })) };
    await expect(engine.api.startStudy(blank)).rejects.toThrow(/no label/);
    const many: StudyPlan = { ...plan, splitting: { kind: 'folds', folds: 5, repeats: 1 } };
    await expect(engine.api.createStudy(many)).rejects.toThrow(/Class healthy has 3 patients, fewer than the 5 parts/);
    const rows = plan.rows.map((row, i) => ({ ...row, site: i < 6 ? 'north' : 'south' }));
    await expect(engine.api.auditStudy({ ...plan, rows, groupBy: 'site' })).rejects.toThrow(
      /2 sites, fewer than the 3/,
    );
    const [first, ...others] = plan.rows.map(({ slideId }) => slideId);
    const leaking = { train: others, validation: [], test: first === undefined ? [] : [first] };
    const given: StudyPlan = { ...plan, splitting: { kind: 'given', from: 'k=all.tsv', splits: [leaking] } };
    await expect(engine.api.auditStudy(given)).rejects.toThrow(/same patient is in two parts of the split: p0/);
  });

  it('names slides without tissue before a feature of any other is made', async () => {
    const path = join(folder, 'glass.png');
    const glass = { width: SIDE_PX, height: SIDE_PX, channels: 3 as const, background: '#f4f3f5' };
    await sharp({ create: glass }).png().toFile(path);
    const slide = await engine.api.openSlide(engine.grant(path));
    await engine.api.setSlideMpp(slide.id, 0.5);
    const [first, ...others] = plan.rows.slice(0, 12);
    const empty = { ...first, slideId: slide.id, slideName: slide.name } as StudyRow;
    // Other tiles than those whose features are stored.
    const grid = { ...plan.grid, mpp: 0.9 };
    const made = await engine.api.startStudy({ ...plan, name: 'With glass', grid, rows: [...others, empty] });
    expect(await ended(made.jobId)).toMatch(
      /^failed: These slides cannot be used: glass\.png \(No tile of this slide holds enough tissue\)/,
    );
    const runs = await engine.api.listRuns(others[0]?.slideId ?? asId(''));
    expect(runs.filter(({ provenance }) => provenance.grid.mpp === grid.mpp)).toEqual([]);
  }, 60_000);
});
