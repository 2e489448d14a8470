import { basename } from 'node:path';
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { AppError } from '../../../src-shared/errors.ts';
import { DEFAULT_GRID, DEFAULT_TISSUE } from '../../../src-shared/model/run.ts';
import {
  DEFAULT_STUDY_TRAINING,
  type PoolingName,
  type Study,
  type StudyFigure,
  type StudyRow,
} from '../../../src-shared/model/study.ts';
import type { Engine } from '../../engine/engine.ts';
import { abortOnSignal } from '../abort-on-signal.ts';
import { awaitJob } from '../await-job.ts';
import { EXIT } from '../exit-codes.ts';
import { chooseTargets } from '../extraction/choose-targets.ts';
import { type ListedSlide, listSlides } from '../extraction/slide-list.ts';
import { openEngine } from '../open-engine.ts';
import { storeFolder } from '../store-folder.ts';
import { formatTable, type Terminal } from '../terminal.ts';
import { type Finish, newCommand, numberWithin, runs, STORE_OPTION } from './command.ts';

const POOLINGS: readonly PoolingName[] = ['histotransfer', 'abmil', 'clam-sb', 'mean', 'max'];

interface TrainOptions {
  readonly backbone: string;
  readonly label?: string;
  readonly name: string;
  readonly store?: string;
  readonly mpp: number;
  readonly tileUm: number;
  readonly minTissue: number;
  readonly slideMpp?: number;
  readonly pooling: PoolingName;
  readonly gated: boolean;
  readonly folds: number;
  readonly seeds: number;
  readonly epochs: number;
  readonly tileDropout: number;
  readonly featureDropout: number;
  readonly entropy: number;
  readonly threads: number;
}

/** `hyaline study train | list | show`: learning from slide labels alone. */
export function studyCommand(finish: Finish): Command {
  const study = newCommand('study', 'learn from slide labels alone, judged by cross-validation');
  study.addCommand(trainCommand(finish));
  const list = newCommand('list', 'studies in the store').option(...STORE_OPTION);
  study.addCommand(runs<{ store?: string }>(list, finish, listStudies));
  const show = newCommand('show', 'figures and predictions of a study')
    .argument('<id>', 'identifier of the study, or its beginning')
    .option(...STORE_OPTION);
  study.addCommand(runs<{ store?: string }>(show, finish, showStudy));
  return study;
}

function trainCommand(finish: Finish): Command {
  const { epochs, folds } = DEFAULT_STUDY_TRAINING;
  const share = numberWithin(0, 0.95);
  const command = newCommand('train', 'train attention pooling on the slides of a label table')
    .argument('<labels.csv>', 'table with slide_id (or wsi), a label column, and case_id where patients are known')
    .requiredOption('--backbone <name>', 'backbone or .onnx file, perhaps with a cut: net@layer3')
    .option('--label <column>', 'label column, where the table has several')
    .option('--name <text>', 'name of the study', 'study')
    .option(...STORE_OPTION)
    .option('--mpp <µm>', 'resolution the model sees, µm per pixel', numberWithin(0.05, 50), DEFAULT_GRID.mpp)
    .option('--tile-um <µm>', 'side of a tile', numberWithin(4, 10_000), DEFAULT_GRID.tileUm)
    .option('--min-tissue <0..1>', 'part of a tile that must be tissue', share, DEFAULT_GRID.minTissueFraction)
    .option('--slide-mpp <µm>', 'pixel size of slides that do not state it', numberWithin(0.01, 100))
    .option('--pooling <name>', POOLINGS.join(', '), poolingOf, 'histotransfer')
    .option('--gated', 'multiply the attention by a gate', false)
    .option('--folds <number>', 'folds of the cross-validation', numberWithin(3, 20, 'integer'), folds)
    .option('--seeds <number>', 'trainings per fold', numberWithin(1, 20, 'integer'), 5)
    .option('--epochs <number>', 'passes over the training part', numberWithin(1, 1000, 'integer'), epochs)
    .option('--tile-dropout <share>', 'tiles hidden from the attention in each step', share, 0)
    .option('--feature-dropout <share>', 'embedding dimensions dropped in each step', share, 0)
    .option('--entropy <weight>', 'reward for wide attention', numberWithin(0, 10), 0)
    .option('--threads <number>', 'threads for the model; 0 = all cores', numberWithin(0, 1024, 'integer'), 0);
  return runs<TrainOptions>(command, finish, train);
}

function poolingOf(text: string): PoolingName {
  const found = POOLINGS.find((name) => name === text);
  if (found === undefined) throw new InvalidArgumentError(`It must be one of: ${POOLINGS.join(', ')}.`);
  return found;
}

async function train(options: TrainOptions, terminal: Terminal, [labels = '']: readonly string[]): Promise<number> {
  const listed = await listSlides(labels);
  const column = labelColumn(listed, options.label);
  const engine = await openEngine(storeFolder(options.store), options.threads);
  try {
    return await abortOnSignal(async (signal) => {
      const [target] = await chooseTargets(engine, options.backbone);
      if (target === undefined) throw new AppError('InvalidRequest', 'Name a backbone with --backbone.');
      const rows = await openRows(engine, listed, column, options.slideMpp ?? null);
      const { studyId, jobId } = await engine.api.startStudy({
        ...DEFAULT_STUDY_TRAINING,
        ...{ name: options.name, rows, patientsUnknown: listed.every(({ path, caseId }) => isOwnCase(path, caseId)) },
        ...{ backboneId: target.backboneId, cut: target.cut, tissue: DEFAULT_TISSUE },
        grid: {
          ...{ mpp: options.mpp, tileUm: options.tileUm, strideUm: options.tileUm },
          minTissueFraction: options.minTissue,
        },
        ...{ pooling: options.pooling, gated: options.gated, folds: options.folds, epochs: options.epochs },
        seeds: Array.from({ length: options.seeds }, (_, i) => i + 1),
        ...{ tileDropout: options.tileDropout, featureDropout: options.featureDropout },
        entropyWeight: options.entropy,
      });
      const bar = terminal.progress(options.name);
      await awaitJob(engine, jobId, ({ progress }) => bar.update(progress), signal).finally(() => bar.stop());
      const study = await engine.api.getStudy(studyId);
      terminal.printJson(study);
      terminal.print(describe(study));
      return EXIT.ok;
    });
  } finally {
    await engine.close();
  }
}

/** A table without patients gives every slide its own name as case. */
const isOwnCase = (path: string, caseId: string): boolean => basename(path).startsWith(caseId);

/** The label column asked for, or the only one. Throws InvalidRequest naming what there is. */
function labelColumn(listed: readonly ListedSlide[], wanted: string | undefined): string {
  const columns = [...new Set(listed.flatMap(({ labels }) => Object.keys(labels)))];
  if (wanted !== undefined && columns.includes(wanted)) return wanted;
  const [only] = columns;
  if (wanted === undefined && columns.length === 1 && only !== undefined) return only;
  const there = columns.length === 0 ? 'It has no label column.' : `It has: ${columns.join(', ')}.`;
  throw new AppError('InvalidRequest', `The table does not say which label is meant. ${there}`, {
    advice: 'Name a column with --label.',
  });
}

async function openRows(
  engine: Engine,
  listed: readonly ListedSlide[],
  column: string,
  slideMppUm: number | null,
): Promise<StudyRow[]> {
  const rows: StudyRow[] = [];
  for (const { path, mppUm, caseId, labels } of listed) {
    const slide = await engine.api.openSlide(engine.grant(path));
    const given = mppUm ?? slideMppUm;
    if (slide.mpp === null && given !== null) await engine.api.setSlideMpp(slide.id, given);
    rows.push({ slideId: slide.id, slideName: slide.name, patient: caseId, label: labels[column] ?? '' });
  }
  return rows;
}

async function listStudies(options: { store?: string }, terminal: Terminal): Promise<number> {
  return await withStudies(options, (studies) => {
    terminal.printJson(studies);
    terminal.print(studies.length === 0 ? 'No studies yet.' : formatTable(studies.map(line)));
  });
}

const line = ({ id, plan, outcome }: Study): readonly [string, string] => [
  id.slice(0, 8),
  `${plan.name}, ${plan.rows.length} slides, ${outcome === null ? 'not trained' : figureText(outcome.figures[0])}`,
];

async function showStudy(
  options: { store?: string },
  terminal: Terminal,
  [id = '']: readonly string[],
): Promise<number> {
  return await withStudies(options, (studies) => {
    const study = studies.find((candidate) => candidate.id.startsWith(id));
    if (study === undefined) {
      throw new AppError('NotFound', `There is no study ${id}.`, { advice: 'hyaline study list names them.' });
    }
    terminal.printJson(study);
    terminal.print(describe(study));
  });
}

async function withStudies(options: { store?: string }, use: (studies: readonly Study[]) => void): Promise<number> {
  const engine = await openEngine(storeFolder(options.store), 0);
  try {
    use(await engine.api.listStudies());
    return EXIT.ok;
  } finally {
    await engine.close();
  }
}

function describe({ id, plan, outcome }: Study): string {
  if (outcome === null) return `${plan.name} (${id}): not trained yet.`;
  const independent = plan.patientsUnknown ? ' (optimistic: images treated as independent)' : '';
  return [
    `${plan.name} (${id}): ${plan.rows.length} slides, ${outcome.classes.join(' / ')}`,
    `${plan.folds} folds x ${plan.seeds.length} seeds; intervals: 95 % bootstrap over patients${independent}`,
    formatTable(outcome.figures.map((figure) => [figure.name, figureText(figure)] as const)),
  ].join('\n');
}

function figureText(figure: StudyFigure | undefined): string {
  if (figure === undefined || figure.value === null) return 'not defined';
  const interval =
    figure.low === null || figure.high === null ? '' : ` (${digits(figure.low)} to ${digits(figure.high)})`;
  const seeds = figure.seedSd === null ? '' : `, seeds ±${digits(figure.seedSd)}`;
  return `${digits(figure.value)}${interval}${seeds}`;
}

const digits = (value: number): string => value.toFixed(3);
