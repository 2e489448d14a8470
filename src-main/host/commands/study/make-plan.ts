import { readdir, readFile } from 'node:fs/promises';
import { basename, extname, join, resolve } from 'node:path';
import { AppError } from '../../../../src-shared/errors.ts';
import { DEFAULT_TISSUE, type Run } from '../../../../src-shared/model/run.ts';
import { DEFAULT_STUDY_TRAINING, type StudyPlan, type StudyRow } from '../../../../src-shared/model/study.ts';
import { presetOfPlan } from '../../../../src-shared/model/training-preset.ts';
import type { Engine } from '../../../engine/engine.ts';
import { listed as fewNames } from '../../../engine/study/splits.ts';
import { chooseTargets } from '../../extraction/choose-targets.ts';
import { openIntoStore } from '../../extraction/find-slides.ts';
import { type ListedSlide, listSlides } from '../../extraction/slide-list.ts';
import { storeFolder } from '../../store-folder.ts';
import { type PlanOptions, splittingOf } from './plan-options.ts';

/** Columns that hold the label where a table has several. */
const LABEL_NAMES = ['label', 'class', 'diagnosis', 'target'];
const SITE_NAMES = ['site', 'site_id', 'centre', 'center', 'hospital', 'institution', 'tissue_source_site'];

/** What the tables say, before the engine is asked. */
export interface StudyTable {
  readonly listed: readonly ListedSlide[];
  readonly column: string;
  readonly siteColumn: string | null;
  /** Imported features by slide path; null = a backbone makes them. */
  readonly imported: ReadonlyMap<string, Run> | null;
}

/**
 * Reads the label table, and imports feature files where they stand in for a backbone. Call before the engine is
 * opened: one process owns a store at a time.
 * @throws AppError InvalidRequest naming labels or feature files that are missing.
 */
export async function readStudyTable(labels: string, options: PlanOptions): Promise<StudyTable> {
  const listed = await listSlides(labels);
  const columns = [...new Set(listed.flatMap((row) => Object.keys(row.labels)))];
  const column = labelColumn(columns, options.label);
  const siteColumn = columns.find((name) => name !== column && SITE_NAMES.includes(name.toLowerCase())) ?? null;
  if ((options.backbone === undefined) === (options.features === undefined)) {
    throw new AppError('InvalidRequest', 'A study needs features: name a backbone, or a folder of feature files.', {
      advice: 'Give --backbone NAME, or --features FOLDER.',
    });
  }
  const unlabelled = listed.filter(({ labels: own }) => (own[column] ?? '') === '').map(({ path }) => basename(path));
  if (unlabelled.length > 0) {
    throw new AppError('InvalidRequest', `These slides have no ${column}: ${fewNames(unlabelled)}.`, {
      advice: 'Give each a label, or take its row out.',
    });
  }
  const imported = options.features === undefined ? null : await importFeatures(listed, options.features, options);
  return { listed, column, siteColumn, imported };
}

/** The plan of a study from its table and options. Slides that cannot be opened are named together. */
export async function makePlan(engine: Engine, table: StudyTable, options: PlanOptions): Promise<StudyPlan> {
  const rows = await openRows(engine, table, options.slideMpp ?? null);
  const [target] = options.backbone === undefined ? [] : await chooseTargets(engine, options.backbone);
  const [firstRun] = table.imported?.values() ?? [];
  const backboneId = target?.backboneId ?? firstRun?.backboneId;
  if (backboneId === undefined) throw new AppError('InvalidRequest', 'Name a backbone with --backbone.');
  const patientsUnknown = table.listed.every(({ path, caseId }) => basename(path).startsWith(caseId));
  const plan: StudyPlan = {
    ...DEFAULT_STUDY_TRAINING,
    ...{ name: options.name, rows, patientsUnknown, backboneId, tissue: DEFAULT_TISSUE },
    cut: target === undefined ? (firstRun?.cut ?? null) : target.cut,
    grid: firstRun?.provenance.grid ?? {
      ...{ mpp: options.mpp, tileUm: options.tileUm, strideUm: options.tileUm },
      minTissueFraction: options.minTissue,
    },
    ...{ pooling: options.pooling, gated: options.gated, epochs: options.epochs, groupBy: options.groupBy },
    splitting: splittingOf(options),
    ...{ positiveClass: options.positive ?? null, operatingRule: options.point, splitSeed: options.splitSeed },
    seeds: Array.from({ length: options.seeds }, (_, i) => i + 1),
    ...{ tileDropout: options.tileDropout, featureDropout: options.featureDropout, entropyWeight: options.entropy },
    ...(options.preset && presetOfPlan(options.preset)),
  };
  if (options.splits === undefined) return plan;
  const { splitting, unknown } = await engine.api.readStudySplits(await splitFiles(options.splits), rows);
  if (unknown.length > 0) {
    throw new AppError('InvalidRequest', `The splits name slides that are not in the table: ${fewNames(unknown)}.`, {
      advice: 'Give them a label, or take them out of the splits.',
      detail: unknown.join(', '),
    });
  }
  return { ...plan, splitting };
}

/** Files named, or all `splits_*.csv` and `k=all.tsv` of a folder; CLAM's `_bool` and `_descriptor` twins left out. */
async function splitFiles(named: readonly string[]): Promise<{ name: string; text: string }[]> {
  const paths: string[] = [];
  for (const name of named) {
    const inside = await readdir(name).catch(() => null);
    if (inside === null) paths.push(name);
    else
      paths.push(
        ...inside.filter((file) => /^(splits_\d+\.csv|k=.*\.tsv)$/.test(file)).map((file) => join(name, file)),
      );
  }
  return await Promise.all(
    paths.map(async (path) => ({
      name: basename(path),
      text: await readFile(path, 'utf8').catch((cause: unknown) => {
        throw new AppError('FileUnreadable', `${basename(path)} cannot be read.`, { detail: String(cause), cause });
      }),
    })),
  );
}

/** The label column asked for, the only one, or the one that is called so. Throws InvalidRequest naming what there is. */
function labelColumn(columns: readonly string[], wanted: string | undefined): string {
  if (wanted !== undefined && columns.includes(wanted)) return wanted;
  const [only] = columns;
  const named = columns.find((name) => LABEL_NAMES.includes(name.toLowerCase()));
  if (wanted === undefined && named !== undefined) return named;
  if (wanted === undefined && columns.length === 1 && only !== undefined) return only;
  const there = columns.length === 0 ? 'It has no label column.' : `It has: ${columns.join(', ')}.`;
  throw new AppError('InvalidRequest', `The table does not say which label is meant. ${there}`, {
    advice: 'Name a column with --label.',
  });
}

async function openRows(engine: Engine, table: StudyTable, slideMppUm: number | null): Promise<StudyRow[]> {
  const rows: StudyRow[] = [];
  const refused: { readonly name: string; readonly reason: string }[] = [];
  for (const { path, mppUm, caseId, labels } of table.listed) {
    try {
      const slide = await engine.api.openSlide(engine.grant(path));
      const given = mppUm ?? slideMppUm;
      if (slide.mpp === null && given !== null) await engine.api.setSlideMpp(slide.id, given);
      rows.push({
        ...{ slideId: slide.id, slideName: slide.name, patient: caseId, label: labels[table.column] ?? '' },
        site: table.siteColumn === null ? '' : (labels[table.siteColumn] ?? ''),
        runId: table.imported?.get(path)?.id ?? null,
      });
    } catch (error) {
      refused.push({ name: basename(path), reason: error instanceof Error ? error.message : String(error) });
    }
  }
  if (refused.length === 0) return rows;
  throw new AppError(
    'InvalidRequest',
    `The table has labels for slides that cannot be opened: ${fewNames(refused.map(({ name }) => name))}.`,
    {
      advice: 'Put the files beside the table, correct their names, or take the rows out.',
      detail: refused.map(({ name, reason }) => `${name}: ${reason}`).join('\n'),
    },
  );
}

/** Puts SLIDE.h5 of a folder (perhaps in `h5_files`) into the store for every slide. Names all that are missing. */
async function importFeatures(
  listed: readonly ListedSlide[],
  folder: string,
  { store: storeOption, slideMpp }: PlanOptions,
): Promise<ReadonlyMap<string, Run>> {
  const { readBag, readPatches } = await import('../../../engine/interop/hdf5.ts');
  const { importBag } = await import('../../../engine/interop/import-bag.ts');
  const { openStore } = await import('../../../engine/store/open-store.ts');
  const files = new Map<string, string>();
  for (const file of await readdir(folder, { recursive: true }).catch(() => [] as string[])) {
    if (extname(file) === '.h5' && !file.includes('patches')) files.set(stem(file), resolve(folder, file));
  }
  const missing = listed.filter(({ path }) => !files.has(stem(path))).map(({ path }) => `${stem(path)}.h5`);
  if (missing.length > 0) {
    throw new AppError('InvalidRequest', `These feature files are missing: ${fewNames(missing)}.`, {
      advice: 'Give the folder that holds one for each slide of the table.',
      detail: missing.join(', '),
    });
  }
  const store = await openStore({ folder: storeFolder(storeOption), program: 'hyaline study' });
  const imported = new Map<string, Run>();
  try {
    for (const { path, mppUm: listedMpp } of listed) {
      const slide = await openIntoStore(store, path);
      const mppUm = slide.userMppUm ?? slide.info.mpp?.xUm ?? listedMpp ?? slideMpp ?? null;
      if (mppUm === null) {
        throw new AppError('MppUnknown', `${basename(path)} does not state its pixel size.`, {
          advice: 'Give it in micrometres per pixel with --slide-mpp, or in a column mpp.',
        });
      }
      const file = files.get(stem(path)) ?? '';
      const patchFile = resolve(folder, '..', 'patches', `${stem(path)}.h5`);
      const patches = await readPatches(patchFile).catch(() => null);
      const bag = await readBag(file);
      if (bag.tileCount === 0) throw emptyBag(basename(file));
      const encoder = bag.encoder ?? basename(folder);
      imported.set(path, await importBag(store, { slide, mppUm, bag, patches, encoder }));
    }
  } finally {
    await store.close();
  }
  return imported;
}

const emptyBag = (name: string): AppError =>
  new AppError('InvalidRequest', `${name} holds no tiles.`, { advice: 'Take its slide out of the table.' });

const stem = (path: string): string => basename(path, extname(path));
