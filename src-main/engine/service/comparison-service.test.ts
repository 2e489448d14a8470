import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { routes } from '../../../src-shared/api/routes.ts';
import type { ComparisonRequest } from '../../../src-shared/model/comparison-record.ts';
import { DEFAULT_COMPARISON } from '../../../src-shared/model/comparison-record.ts';
import { asId, type ComparisonId, type FileGrant, type StudyId } from '../../../src-shared/model/ids.ts';
import { DEFAULT_GRID, DEFAULT_TISSUE } from '../../../src-shared/model/run.ts';
import { DEFAULT_STUDY_TRAINING, type StudyRow } from '../../../src-shared/model/study.ts';
import { checkered, grey, paintImages, pink, writeLittleNetwork } from '../compare/testing.ts';
import { createEngine } from '../create-engine.ts';
import type { Engine } from '../engine.ts';
import { writeSynthetic } from '../slide/synthetic/write-synthetic.ts';

let folder = '';
let engine: Engine;
let request: ComparisonRequest;
let id: ComparisonId;

const open = () =>
  createEngine({ storeFolder: join(folder, 'store'), resourcesFolder: 'resources', host: 'cli', threads: 1 });

/** Waits for a job to end; `afterMs` cancels it on its way. */
async function ended(jobId: string): Promise<string> {
  for (;;) {
    const job = (await engine.api.listJobs()).find((it) => it.id === jobId);
    if (job === undefined || !['queued', 'running'].includes(job.state)) return job?.state ?? 'gone';
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The study of the first cut of a truncation study, as soon as there is one. */
async function untilStudy(comparisonId: ComparisonId, jobId: string): Promise<string> {
  for (;;) {
    const [study] = (await engine.api.getComparison(comparisonId)).truncation?.studies ?? [];
    const error = (await engine.api.listJobs()).find(({ id }) => id === jobId)?.error ?? null;
    if (error !== null) throw new Error(error.message);
    if (study !== undefined) return study.studyId;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hyaline-comparison-'));
  await paintImages(join(folder, 'tasks', 'texture', 'plain'), 12, grey, 1);
  await paintImages(join(folder, 'tasks', 'texture', 'weave'), 12, checkered, 2);
  await paintImages(join(folder, 'tasks', 'lonely', 'one'), 6, pink, 3);
  engine = await open();
  const { modelPath } = await writeLittleNetwork(folder, 'planted', 'imagenet', 1);
  const card = await engine.api.importBackbone(engine.grant(modelPath), {
    ...{ name: 'planted', origin: 'imagenet', input: { widthPx: 16, heightPx: 16, scale: 1 / 64 } },
  });
  request = {
    name: 'Little',
    tasks: [engine.grant(join(folder, 'tasks'))],
    backbones: [{ backboneId: card.id, cuts: [] }],
    slides: [],
    settings: { ...DEFAULT_COMPARISON, resamples: 100, ckaImages: 24 },
  };
  const started = await engine.api.startComparison(request);
  id = started.comparisonId;
  expect(await ended(started.jobId)).toBe('done');
}, 60_000);

afterAll(async () => {
  await engine.close();
  await rm(folder, { recursive: true, force: true });
});

describe('comparisons as the app makes them', () => {
  it('say before they start what they would compare and what is wrong', async () => {
    const { tasks } = request;
    const checks = await engine.api.checkTasks({ grants: tasks, crossValidate: false, ungrouped: [] });
    expect(checks.find(({ name }) => name === 'texture')).toMatchObject({
      ...{ reason: null, images: 24, grouped: false },
      classes: [
        { label: 'plain', images: 12, groups: 12 },
        { label: 'weave', images: 12, groups: 12 },
      ],
    });
    expect(checks.find(({ name }) => name === 'lonely')?.reason).toContain('one class only');
    const foreign = [asId<FileGrant>('/etc')];
    await expect(engine.api.checkTasks({ grants: foreign, crossValidate: false, ungrouped: [] })).rejects.toMatchObject(
      { code: 'NotAllowed' },
    );
  });

  it('find groups in file names, and refuse a pattern that finds none', async () => {
    const { tasks } = request;
    const check = (groupPattern: string) =>
      engine.api.checkTasks({ grants: tasks, crossValidate: false, ungrouped: [], groupPattern });
    // 000.png to 011.png: tens and ones; by ones twelve images make ten groups, each class its own ten.
    const found = (await check('^\\d\\d(\\d)')).find(({ name }) => name === 'texture');
    expect(found).toMatchObject({ grouped: true, reason: null });
    expect(found?.classes.map(({ groups }) => groups)).toEqual([10, 10]);
    await expect(check('(')).rejects.toMatchObject({ code: 'InvalidRequest' });
    await expect(check('^\\d')).rejects.toThrow('no bracket');
  });

  it('take a task cut from annotated images, and name what gave nothing', async () => {
    const [images, masks] = [join(folder, 'fields'), join(folder, 'masks')];
    await mkdir(masks, { recursive: true });
    await paintImages(images, 3, grey, 9);
    for (const name of ['000', '001']) {
      const mask = Uint8Array.from({ length: 256 }, (_, at) => (at % 16 < 8 ? 255 : 0));
      await sharp(mask, { raw: { width: 16, height: 16, channels: 1 } })
        .png()
        .toFile(join(masks, `${name}_mask.png`));
    }
    const making = {
      ...{ name: 'halves', images: engine.grant(images), annotations: engine.grant(masks), seed: 1 },
      conversion: { kind: 'mask', sizePx: 8, stridePx: 8, threshold: 0.5 } as const,
      ...{ mostBackground: 1, mostPerClass: 100 },
    };
    const { jobId } = await engine.api.makeTask(making);
    expect(await ended(jobId)).toBe('done');
    const made = await engine.api.madeTask(jobId);
    expect(made).toMatchObject({ name: 'halves', patches: 8, groups: 2, classes: { negative: 4, positive: 4 } });
    expect(made.leftOut).toEqual([{ image: '002.png', reason: 'It has no annotation of its name.' }]);
    const [check] = await engine.api.checkTasks({ grants: [made.grant], crossValidate: false, ungrouped: [] });
    expect(check).toMatchObject({ name: 'halves', reason: expect.stringContaining('4 images') });
    await expect(engine.api.makeTask(making)).rejects.toThrow('already');
    await expect(engine.api.makeTask({ ...making, name: '../up' })).rejects.toThrow('no name for a task');
  });

  it('keep what made them: tasks by content, backbones by content, cuts, seeds, versions, device', async () => {
    const record = await engine.api.getComparison(id);
    expect(record.made).toMatchObject({ device: 'CPU', threads: 1, versions: { hyaline: expect.any(String) } });
    expect(record.made?.tasks).toEqual([
      { name: 'texture', images: 24, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    ]);
    expect(record.result?.backbones[0]?.sha256).toBe(request.backbones[0]?.backboneId);
    expect(record.result).toMatchObject({ probe: 'svm', seeds: [1], twinSeeds: [1, 2, 3] });
    expect(record.result?.skipped[0]?.name).toBe('lonely');
    expect(JSON.stringify(record)).not.toContain(folder);
  });

  it('show what stands behind every score, and the misjudged images only', async () => {
    const { result } = await engine.api.getComparison(id);
    const [backbone] = result?.tasks[0]?.backbones ?? [];
    for (const cut of [...(backbone?.cuts.map((it) => it.cut) ?? []), 'chosen']) {
      const cell = await engine.api.comparisonCell(id, 'texture', 'planted', cut);
      expect(cell.confusion.flat().reduce((sum, value) => sum + value, 0)).toBe(24);
      const wrong = (cell.confusion[0]?.[1] ?? 0) + (cell.confusion[1]?.[0] ?? 0);
      expect(cell.misjudged).toHaveLength(wrong);
      expect(cell.perClass[0]?.recall).toBeCloseTo((cell.confusion[0]?.[0] ?? 0) / 12, 12);
      for (const { label, predicted } of cell.misjudged) expect(predicted).not.toBe(label);
    }
    await expect(engine.api.comparisonCell(id, 'texture', 'planted', 'none')).rejects.toMatchObject({
      code: 'NotFound',
    });
  });

  it('show images of their tasks, and no file that has taken their place', async () => {
    const cells = await Promise.all(
      ((await engine.api.getComparison(id)).result?.tasks[0]?.backbones[0]?.cuts ?? []).map(({ cut }) =>
        engine.api.comparisonCell(id, 'texture', 'planted', cut),
      ),
    );
    const misjudged = cells.flatMap((cell) => cell.misjudged)[0];
    if (misjudged === undefined) throw new Error('the late cut was right on every image');
    const path = routes.patch(id, misjudged.sha256, 64);
    const shown = await engine.handle({ method: 'GET', path });
    expect(shown.status).toBe(200);
    expect(await sharp(shown.body).metadata()).toMatchObject({ format: 'png', width: 64, height: 64 });
    const other = routes.patch(id, '0'.repeat(64), 64);
    expect((await engine.handle({ method: 'GET', path: other })).status).toBe(404);
    await writeFile(join(folder, 'tasks', 'texture', misjudged.label, misjudged.fileName), 'something else');
    expect((await engine.handle({ method: 'GET', path })).status).toBe(404);
  });

  it('export the numbers that are shown', async () => {
    const files = await engine.api.listComparisonFiles(id);
    expect(files).toEqual(expect.arrayContaining(['comparison.json', 'scores.csv', 'layers-texture.svg']));
    const { id: exportId, fileName } = await engine.api.exportComparison(id, 'scores.csv');
    expect(fileName).toBe('Little-scores.csv');
    const { body } = await engine.handle({ method: 'GET', path: routes.download(exportId) });
    const { result } = await engine.api.getComparison(id);
    const score = result?.tasks[0]?.backbones[0]?.cuts[0]?.score;
    expect(Buffer.from(body).toString()).toContain(String(score));
    expect(await engine.api.exportComparison(id, null)).toMatchObject({ fileName: 'Little.zip' });
    await expect(engine.api.exportComparison(id, '../../hyaline.db')).rejects.toMatchObject({ code: 'NotFound' });
  });

  it('stay over a restart, can be cancelled and resumed, and go when removed', async () => {
    await engine.close();
    engine = await open();
    expect(await engine.api.listComparisons()).toEqual([expect.objectContaining({ id, name: 'Little' })]);
    const settings = { ...request.settings, twins: 0, ckaImages: 0 };
    const again = { ...request, name: 'Again', tasks: [engine.grant(join(folder, 'tasks'))], settings };
    const { comparisonId, jobId } = await engine.api.startComparison(again);
    await engine.api.cancelJob(jobId);
    expect(await ended(jobId)).toBe('cancelled');
    expect((await engine.api.getComparison(comparisonId)).result).toBeNull();
    await engine.api.resumeJob(jobId);
    expect(await ended(jobId)).toBe('done');
    expect((await engine.api.getComparison(comparisonId)).result).not.toBeNull();
    await engine.api.removeComparison(comparisonId);
    await expect(engine.api.getComparison(comparisonId)).rejects.toMatchObject({ code: 'NotFound' });
  }, 60_000);

  it('take every cut through a study of slides as well, go on after a stop, and show both in one table', async () => {
    const rows: StudyRow[] = [];
    for (let i = 0; i < 6; i++) {
      const outPath = join(folder, `slide-${i}.tif`);
      await writeSynthetic({ outPath, widthPx: 768, heightPx: 768, seed: 50 + i, lesions: i % 2 });
      const { id: slideId, name } = await engine.api.openSlide(engine.grant(outPath));
      rows.push({ slideId, slideName: name, patient: `p${i}`, label: `${i % 2}`, site: '', runId: null });
    }
    const [planted] = request.backbones;
    if (planted === undefined) throw new Error('no backbone');
    const template = await engine.api.createStudy({
      ...{ ...DEFAULT_STUDY_TRAINING, name: 'Slides', rows, patientsUnknown: false, cut: null, seeds: [1], epochs: 2 },
      ...{ backboneId: planted.backboneId, splitting: { kind: 'folds', folds: 3, repeats: 1 } },
      grid: { ...DEFAULT_GRID, mpp: 1, tileUm: 48, strideUm: 48, minTissueFraction: 0.1 },
      tissue: DEFAULT_TISSUE,
    });
    const settings = { ...request.settings, twins: 0, ckaImages: 0 };
    const tasks = [engine.grant(join(folder, 'tasks'))];
    const asked = { ...request, name: 'Truncated', tasks, settings, slideStudyId: template.id };
    const { comparisonId, jobId } = await engine.api.startComparison(asked);
    // Stopped as soon as the first cut has its study; that one is gone on with.
    const first = await untilStudy(comparisonId, jobId);
    await engine.api.cancelJob(jobId);
    expect(await ended(jobId)).toBe('cancelled');
    await engine.api.resumeJob(jobId);
    expect(await ended(jobId)).toBe('done');
    const { truncation, result } = await engine.api.getComparison(comparisonId);
    expect(truncation).toMatchObject({ slideStudyId: template.id, name: 'Slides' });
    // Gone on with, not begun anew.
    expect(truncation?.studies.map(({ studyId }) => studyId)).toEqual([first]);
    const table = result?.truncation;
    expect(table?.rows.map(({ cut }) => cut)).toEqual(result?.tasks[0]?.backbones[0]?.cuts.map(({ cut }) => cut));
    expect(table).toMatchObject({ slideCount: 6, patientCount: 6, slideFigure: 'AUC' });
    expect(table?.tilesPerSlide).toBeGreaterThan(4);
    for (const row of table?.rows ?? []) {
      const study = await engine.api.getStudy(row.studyId ?? asId(''));
      expect(study.plan).toMatchObject({ cut: row.cut, rows, epochs: 2, name: `Truncated: planted at ${row.cut}` });
      expect(row.slides.value).toBe(study.outcome?.figures.find(({ name }) => name === 'AUC')?.value);
      const score = result?.tasks[0]?.backbones[0]?.cuts.find(({ cut }) => cut === row.cut);
      expect(row.patches[0]?.value).toBe(score?.score);
      expect(row.secondsPerSlide).toBeCloseTo(((score?.msPerImage ?? 0) * (table?.tilesPerSlide ?? 0)) / 1000, 9);
    }
    const files = await engine.api.listComparisonFiles(comparisonId);
    expect(files).toEqual(expect.arrayContaining(['truncation.csv', 'truncation.svg', 'truncation.png']));
    const imported = { ...asked, slideStudyId: asId<StudyId>('none') };
    await expect(engine.api.startComparison(imported)).rejects.toMatchObject({ code: 'NotFound' });
  }, 180_000);

  it('refuse settings that make no sense', async () => {
    const tasks = [engine.grant(join(folder, 'tasks'))];
    const start = (change: object) =>
      engine.api.startComparison({ ...request, tasks, settings: { ...request.settings, ...change } });
    await expect(start({ seeds: [] })).rejects.toMatchObject({ code: 'InvalidRequest' });
    await expect(start({ twins: -1 })).rejects.toThrow('random twins');
    await expect(start({ probe: 'forest' })).rejects.toMatchObject({ code: 'InvalidRequest' });
    await expect(engine.api.startComparison({ ...request, tasks, backbones: [] })).rejects.toThrow('no backbone');
  });
});
