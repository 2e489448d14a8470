import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, extname, join, resolve } from 'node:path';
import { AppError, hasCode } from '../../../../src-shared/errors.ts';
import { type FeatureSet, type ImportedFeatures, unfitFeatures } from '../../../../src-shared/model/feature-bag.ts';
import { DEFAULT_TISSUE } from '../../../../src-shared/model/run.ts';
import type { Slide } from '../../../../src-shared/model/slide.ts';
import { DEFAULT_STUDY_TRAINING, type StudyPlan, type StudyRow } from '../../../../src-shared/model/study.ts';
import type { Engine } from '../../../engine/engine.ts';
import { listed as fewNames } from '../../../engine/study/splits.ts';
import { chooseTargets } from '../../extraction/choose-targets.ts';
import { type ListedSlide, listSlides } from '../../extraction/slide-list.ts';
import { type PlanOptions, splittingOf, trainingOf } from './plan-options.ts';

/** Columns that hold the label where a table has several. */
const LABEL_NAMES = ['label', 'class', 'diagnosis', 'target'];
const SITE_NAMES = ['site', 'site_id', 'centre', 'center', 'hospital', 'institution', 'tissue_source_site'];

/** What the table says. */
export interface StudyTable {
  readonly listed: readonly ListedSlide[];
  readonly column: string;
  readonly siteColumn: string | null;
  /** Feature files in place of a backbone; null = a backbone makes them. */
  readonly features: ListedFeatures | null;
}

/** A set of feature files that has one for every slide of a table. */
interface ListedFeatures {
  readonly folder: string;
  readonly set: FeatureSet;
  /** Name of the file by slide path. */
  readonly names: ReadonlyMap<string, string>;
}

/**
 * Reads the label table, and which feature files there are. Call before the engine is opened.
 * @throws AppError InvalidRequest naming slides without a label, or without a feature file; NotFound.
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
  const features = options.features === undefined ? null : await listFeatures(listed, options.features, options.set);
  return { listed, column, siteColumn, features };
}

/** The plan of a study from its table and options. Slides or features that cannot be used are named together. */
export async function makePlan(engine: Engine, table: StudyTable, options: PlanOptions): Promise<StudyPlan> {
  const { listed, features } = table;
  const sources = features === null ? null : await importFeatures(engine, listed, features, options);
  const rows = rowsOf(table, sources ?? (await openListed(engine, listed, options.slideMpp ?? null)));
  const [target] = options.backbone === undefined ? [] : await chooseTargets(engine, options.backbone);
  const [imported] = sources?.values() ?? [];
  const backboneId = target?.backboneId ?? imported?.backboneId;
  if (backboneId === undefined) throw new AppError('InvalidRequest', 'Name a backbone with --backbone.');
  const patientsUnknown = listed.every(({ caseId }) => caseId === null);
  const { mpp, tileUm, minTissue: minTissueFraction } = options;
  const plan: StudyPlan = {
    ...DEFAULT_STUDY_TRAINING,
    ...{ name: options.name, rows, patientsUnknown, backboneId, tissue: DEFAULT_TISSUE },
    cut: imported?.cut ?? target?.cut ?? null,
    grid: { mpp, tileUm, strideUm: tileUm, minTissueFraction },
    ...trainingOf(options),
    groupBy: options.groupBy,
    splitting: splittingOf(options),
    ...{ positiveClass: options.positive ?? null, operatingRule: options.point, splitSeed: options.splitSeed },
    seeds: Array.from({ length: options.seeds }, (_, i) => i + 1),
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

/** A slide of the table as the store knows it. */
type Source = Pick<Slide, 'id' | 'name'> & Partial<Pick<ImportedFeatures, 'runId' | 'backboneId' | 'cut'>>;

function rowsOf({ listed, column, siteColumn }: StudyTable, sources: ReadonlyMap<string, Source>): readonly StudyRow[] {
  return listed.flatMap(({ path, caseId, labels }) => {
    const source = sources.get(path);
    if (source === undefined) return [];
    const { [column]: label = '', ...others } = labels;
    const site = siteColumn === null ? '' : (labels[siteColumn] ?? '');
    const columns = Object.fromEntries(Object.entries(others).filter(([name]) => name !== siteColumn));
    return [
      {
        ...{ slideId: source.id, slideName: source.name, patient: caseId ?? source.id, label, site },
        runId: source.runId ?? null,
        ...(Object.keys(columns).length > 0 && { columns }),
      },
    ];
  });
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
export function labelColumn(columns: readonly string[], wanted: string | undefined): string {
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

/** Throws InvalidRequest naming slides that cannot be opened. */
async function openListed(
  engine: Engine,
  listed: readonly ListedSlide[],
  slideMppUm: number | null,
): Promise<ReadonlyMap<string, Source>> {
  const refused: Refused[] = [];
  const sources = new Map<string, Source>();
  for (const { path, mppUm } of listed) {
    const slide = await openSlide(engine, path, mppUm ?? slideMppUm).catch((error: unknown) => {
      refused.push({ name: basename(path), reason: error instanceof Error ? error.message : String(error) });
      return null;
    });
    if (slide !== null) sources.set(path, slide);
  }
  refuse(
    refused,
    'The table has labels for slides that cannot be opened',
    'Put the files beside the table, correct their names, or take the rows out.',
  );
  return sources;
}

async function openSlide(engine: Engine, path: string, mppUm: number | null): Promise<Slide> {
  const slide = await engine.api.openSlide(engine.grant(path));
  return slide.mpp === null && mppUm !== null ? await engine.api.setSlideMpp(slide.id, mppUm) : slide;
}

/** Throws InvalidRequest naming the files that are missing. */
async function listFeatures(
  listed: readonly ListedSlide[],
  folder: string,
  wanted: string | undefined,
): Promise<ListedFeatures> {
  // The HDF5 library is loaded only when it is needed.
  const { readFeatureFolder } = await import('../../../engine/interop/feature-folder.ts');
  const { sets, refused: unreadable } = await readFeatureFolder(resolve(folder));
  const set = chosenSet(sets, wanted);
  const there = new Set(set.files.map(({ name }) => name));
  const names = new Map(
    listed.flatMap(({ path }) => {
      const name = [basename(path), stem(path)].find((each) => there.has(each));
      return name === undefined ? [] : [[path, name] as const];
    }),
  );
  const missing = listed.filter(({ path }) => !names.has(path)).map(({ path }) => `${stem(path)}.h5`);
  if (missing.length === 0) {
    const used = new Set(names.values());
    const [problem, ...more] = unfitFeatures(set.files.filter(({ name }) => used.has(name)));
    if (problem === undefined) return { folder: resolve(folder), set, names };
    throw new AppError('InvalidRequest', [problem, ...more].join(' '), {
      advice: 'Extract these slides again with one encoder, or take them out of the table.',
    });
  }
  throw new AppError('InvalidRequest', `These feature files are missing: ${fewNames(missing)}.`, {
    advice: 'Give the folder that holds one for each slide of the table.',
    detail: [...missing, ...unreadable.map(({ name, reason }) => `${name}: ${reason}`)].join('\n'),
  });
}

/** Puts the feature files into the store; the slide file itself is welcome, not needed. Names all that cannot be used. */
async function importFeatures(
  engine: Engine,
  listed: readonly ListedSlide[],
  { folder: path, set, names }: ListedFeatures,
  { encoder, slideMpp }: PlanOptions,
): Promise<ReadonlyMap<string, Source & ImportedFeatures>> {
  const folder = engine.grant(path);
  const refused: Refused[] = [];
  const sources = new Map<string, Source & ImportedFeatures>();
  for (const { path, mppUm } of listed) {
    const name = names.get(path) ?? '';
    try {
      const slide = existsSync(path) ? await openSlide(engine, path, mppUm ?? slideMpp ?? null) : null;
      const request = { folder, place: set.place, name, slideId: slide?.id ?? null };
      const imported = await engine.api.importFeatureBag({ ...request, encoder: encoder ?? set.encoder });
      sources.set(path, { ...imported, id: imported.slideId, name: imported.slideName });
    } catch (error) {
      if (hasCode(error, 'DiskFull', 'StoreReadOnly', 'StoreDamaged')) throw error;
      refused.push({ name, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  refuse(refused, 'These feature files cannot be used', 'Make them again, or take their slides out of the table.');
  return sources;
}

/** The set asked for, or the only one. Throws InvalidRequest naming what there is. */
export function chosenSet(sets: readonly FeatureSet[], wanted: string | undefined): FeatureSet {
  const found =
    wanted === undefined ? sets : sets.filter(({ place, encoder }) => place === wanted || encoder === wanted);
  const [set] = found;
  if (set !== undefined && found.length === 1) return set;
  const there = sets.map(({ place, encoder, files }) => `${place} (${encoder}, ${files.length} slides)`).join('; ');
  throw new AppError('InvalidRequest', `The folder holds ${sets.length} sets of features: ${there}.`, {
    advice: 'Name one with --set, or give its folder.',
  });
}

interface Refused {
  readonly name: string;
  readonly reason: string;
}

function refuse(refused: readonly Refused[], what: string, advice: string): void {
  const [first] = refused;
  if (first === undefined) return;
  const why = refused.every(({ reason }) => reason === first.reason) ? first.reason : `${first.name}: ${first.reason}`;
  throw new AppError('InvalidRequest', `${what}: ${fewNames(refused.map(({ name }) => name))}. ${why}`, {
    advice,
    detail: refused.map(({ name, reason }) => `${name}: ${reason}`).join('\n'),
  });
}

const stem = (path: string): string => basename(path, extname(path));
