import { basename, extname, resolve } from 'node:path';
import type { Command } from 'commander';
import {
  encoderOfStudy,
  encoderToAsk,
  type PickedFeatures,
  predictFile,
} from '../../../../src-shared/api/predict-features.ts';
import { AppError, fromErrorPayload, hasCode, toErrorPayload } from '../../../../src-shared/errors.ts';
import type { BackboneCard } from '../../../../src-shared/model/backbone.ts';
import type { SlidePrediction, Study } from '../../../../src-shared/model/study.ts';
import { describeDifferences, TYPICALITY_PARTS } from '../../../../src-shared/model/typicality.ts';
import type { Engine } from '../../../engine/engine.ts';
import { abortOnSignal } from '../../abort-on-signal.ts';
import { awaitJob } from '../../await-job.ts';
import { EXIT } from '../../exit-codes.ts';
import { formatError, type Terminal } from '../../terminal.ts';
import { type Finish, newCommand, numberWithin, runs, STORE_OPTION } from '../command.ts';
import { findStudy } from './find-study.ts';
import { chosenSet } from './make-plan.ts';
import { withEngine } from './show.ts';

interface PredictOptions {
  readonly store?: string;
  readonly features?: string;
  readonly set?: string;
  readonly encoder?: string;
  readonly slideMpp?: number;
  readonly threads: number;
}

type Answer = { readonly slide: string } & (
  | { readonly prediction: SlidePrediction }
  | { readonly error: ReturnType<typeof toErrorPayload> }
);

export function predictCommand(finish: Finish): Command {
  const command = newCommand('predict', "what a study's heads say of slides, and how sure they are")
    .argument('<study>', 'identifier of the study, or its beginning, or its name')
    .argument('[slides...]', 'slide files; with --features names of slides, none = all there are')
    .option('--features <folder|file>', 'feature files of TRIDENT or CLAM, for a study on imported features')
    .option('--set <name>', 'which features, where the folder holds several: their folder or encoder')
    .option('--encoder <name>', 'what made them, where the files do not say; without it the encoder of the study')
    .option(...STORE_OPTION)
    .option('--slide-mpp <µm>', 'pixel size of slides that do not state it', numberWithin(0.01, 100))
    .option('--threads <number>', 'threads for the model; 0 = all cores', numberWithin(0, 1024, 'integer'), 0);
  return runs<PredictOptions>(command, finish, predict);
}

async function predict(
  options: PredictOptions,
  terminal: Terminal,
  [studyName = '', ...paths]: readonly string[],
): Promise<number> {
  return await withEngine(
    options.store,
    (engine) =>
      abortOnSignal(async (signal) => {
        const study = await findStudy(engine, studyName);
        if (study.outcome === null) {
          throw new AppError('InvalidRequest', `${study.plan.name} is not trained yet.`, {
            advice: `hyaline study train ${study.id.slice(0, 8)}`,
          });
        }
        if (options.features === undefined) requireBackbone(study, paths, await engine.api.listBackbones());
        const bags =
          options.features === undefined ? null : await readBags(engine, study, options.features, options, terminal);
        const named = paths.length > 0 || bags === null ? paths : bags.set.files.map(({ name }) => name);
        const answers: Answer[] = [];
        for (const path of named) {
          try {
            const prediction =
              bags === null
                ? await predictOne(engine, study, path, options, terminal, signal)
                : await predictBag(engine, study, bags, path);
            answers.push({ slide: path, prediction });
            terminal.print(describePrediction(basename(path), prediction));
          } catch (error) {
            // The store and Ctrl-C concern all slides; anything else only this one.
            if (hasCode(error, 'Cancelled') || hasCode(error, 'StoreLocked') || named.length === 1) throw error;
            answers.push({ slide: path, error: toErrorPayload(error) });
            terminal.note(`${basename(path)}: ${formatError(error)}`);
          }
        }
        terminal.printJson({ studyId: study.id, study: study.plan.name, slides: answers });
        const failed = answers.filter((answer) => 'error' in answer).length;
        if (failed === 0) return EXIT.ok;
        return failed === answers.length ? EXIT.failed : EXIT.partlyFailed;
      }),
    options.threads,
  );
}

async function predictOne(
  engine: Engine,
  { id, plan }: Study,
  path: string,
  { slideMpp }: PredictOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<SlidePrediction> {
  const slide = await engine.api.openSlide(engine.grant(resolve(path)));
  if (slide.mpp === null && slideMpp !== undefined) await engine.api.setSlideMpp(slide.id, slideMpp);
  const { backboneId, cut, grid, tissue } = plan;
  const { runId, jobId } = await engine.api.startAnalysis({ slideId: slide.id, backboneId, cut, grid, tissue });
  if (jobId !== null) {
    const bar = terminal.progress(slide.name);
    await awaitJob(engine, jobId, ({ progress }) => bar.update(progress), signal).finally(() => bar.stop());
  }
  return await engine.api.predictSlide(id, runId);
}

/** Throws InvalidRequest where the slides' features cannot be made here. */
function requireBackbone({ plan }: Study, paths: readonly string[], cards: readonly Pick<BackboneCard, 'id'>[]): void {
  if (paths.length === 0) {
    throw new AppError('InvalidRequest', 'Name the slides to predict.', {
      advice: 'hyaline study predict STUDY SLIDE…',
    });
  }
  if (cards.some(({ id }) => id === plan.backboneId)) return;
  throw new AppError(
    'InvalidRequest',
    'The backbone of this study is not installed: its features were imported, or it was removed.',
    {
      advice: 'Give the features of these slides with --features FOLDER (or one FILE).',
    },
  );
}

async function readBags(
  engine: Engine,
  study: Study,
  features: string,
  { set: wanted, encoder: told }: PredictOptions,
  terminal: Terminal,
): Promise<PickedFeatures> {
  const folder = engine.grant(resolve(features));
  const set = chosenSet((await engine.api.readFeatureFolder(folder)).sets, wanted);
  const own = await encoderOfStudy(engine.api, study);
  if (told !== undefined || set.named || own === null || own === set.encoder) {
    return { folder, set, encoder: encoderToAsk(set, told ?? null, own) };
  }
  terminal.note(`These files do not say what made them: taken for features of ${own}, as those of the study are.`);
  return { folder, set, encoder: own };
}

async function predictBag(engine: Engine, study: Study, bags: PickedFeatures, path: string): Promise<SlidePrediction> {
  const name = [basename(path), basename(path, extname(path))].find((each) =>
    bags.set.files.some((file) => file.name === each),
  );
  if (name === undefined) throw new AppError('NotFound', `There are no features of ${basename(path)} in the folder.`);
  const answer = await predictFile(engine.api, study, bags, name);
  if ('error' in answer) throw fromErrorPayload(answer.error);
  return answer.prediction;
}

const SEEN = {
  unseen: 'not of the study',
  tested: 'of the study, judged by the heads that never saw it',
  trained: 'of the study, and every head was trained on it or on its patient: no honest prediction',
  tuned: 'whose backbone was fine-tuned on it or on its patient: no honest prediction',
} as const;

/** Two or three lines on one slide. */
export function describePrediction(name: string, prediction: SlidePrediction): string {
  const { classes, probabilities, spread, lowest, highest, heads, seen, agreement, typicality } = prediction;
  const digits = (value: number | undefined): string => (value ?? Number.NaN).toFixed(3);
  const called = probabilities.indexOf(Math.max(...probabilities));
  const each = classes.map(
    (label, c) =>
      `${label} ${digits(probabilities[c])} ±${digits(spread[c])} (${digits(lowest[c])} to ${digits(highest[c])})`,
  );
  const agree = agreement === null ? '' : `; their attention agrees with a rank correlation of ${agreement.toFixed(2)}`;
  return [
    `${name}: ${classes[called] ?? ''}. ${each.join(', ')}`,
    `  ${heads} heads, ${SEEN[seen]}${agree}`,
    describeTypicality(typicality),
  ].join('\n');
}

function describeTypicality(typicality: SlidePrediction['typicality']): string {
  if (typicality === null) return '  Too few training slides to say whether it is like them.';
  const { distance, threshold, unlike, notCompared } = typicality;
  const warning = `WARNING: outside the training data in ${describeDifferences(typicality)}`;
  const missing =
    notCompared.length === 0 ? '' : `; not compared: ${notCompared.map((part) => TYPICALITY_PARTS[part]).join(', ')}`;
  return `  ${unlike ? warning : 'Like the training data'}: distance ${distance.toFixed(2)}, threshold ${threshold.toFixed(2)}${missing}`;
}
