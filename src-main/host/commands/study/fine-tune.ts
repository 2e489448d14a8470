import type { Command } from 'commander';
import { DEFAULT_FINE_TUNING } from '../../../../src-shared/model/fine-tune.ts';
import type { Study } from '../../../../src-shared/model/study.ts';
import { abortOnSignal } from '../../abort-on-signal.ts';
import { awaitJob } from '../../await-job.ts';
import { EXIT } from '../../exit-codes.ts';
import type { Terminal } from '../../terminal.ts';
import { type Finish, newCommand, numberWithin, runs, STORE_OPTION } from '../command.ts';
import { findStudy } from './find-study.ts';
import { describeStudy, withEngine } from './show.ts';

interface FineTuneOptions {
  readonly store?: string;
  readonly threads: number;
  readonly fold: number;
  readonly seed?: number;
  readonly k: number;
  readonly perStep?: number;
  readonly epochs: number;
  readonly rate: number;
  readonly headRate?: number;
  readonly keep?: string;
}

export function fineTuneCommand(finish: Finish): Command {
  const { tiles, epochs, rate } = DEFAULT_FINE_TUNING;
  const command = newCommand('finetune', 'train backbone and head together on the most attended tiles of each slide')
    .argument('<study>', 'trained study whose backbone, head and split are begun with')
    .option(
      '--fold <number>',
      'split whose training part is learned from, from 1',
      numberWithin(1, 10_000, 'integer'),
      1,
    )
    .option('--seed <number>', "seed of the head to begin with; the study's first if left out", seedNumber)
    .option('--k <number>', 'most attended tiles of each slide', numberWithin(1, 100_000, 'integer'), tiles)
    .option('--per-step <number>', 'of those, tiles drawn anew for each step', numberWithin(1, 100_000, 'integer'))
    .option('--epochs <number>', 'passes over the training part', numberWithin(1, 1000, 'integer'), epochs)
    .option('--keep <cut>', "cut in front of the study's: it and everything before it stays as it is")
    .option('--rate <number>', "Adam's learning rate", numberWithin(0, 1), rate)
    .option('--head-rate <number>', 'that of the head, where it is another', numberWithin(0, 1))
    .option(...STORE_OPTION)
    .option('--threads <number>', 'threads for the model; 0 = all cores', numberWithin(0, 1024, 'integer'), 0);
  return runs<FineTuneOptions>(command, finish, fineTune);
}

/** What fine-tuning did: figures of the same test slides, and how far each layer moved on their tiles. */
function beforeAndAfter(from: Study, tuned: Study): readonly string[] {
  const fold = tuned.plan.fineTuning?.fold ?? 0;
  const figure = (value: number | null | undefined): string => (value == null ? 'unknown' : value.toFixed(3));
  const figures = (tuned.outcome?.figures ?? []).map(({ name, value }) => {
    const before = from.outcome?.figures.find((other) => other.name === name)?.byFold[fold];
    return `${name} ${figure(before)} -> ${figure(value)}`;
  });
  const change = tuned.outcome?.tunedChange;
  if (change === undefined) return [`Before -> after: ${figures.join(', ')}`];
  const cuts = change.change.cuts.map(({ cut, unbiased }) => `${cut} ${unbiased.toFixed(3)}`);
  return [
    `Before -> after: ${figures.join(', ')}`,
    `CKA before against after (linear, unbiased; ${change.cka.images} tiles of ${change.testSlides} test slides): ${cuts.join(', ')}`,
  ];
}

const seedNumber = numberWithin(0, 2 ** 31 - 1, 'integer');

async function fineTune(
  options: FineTuneOptions,
  terminal: Terminal,
  [named = '']: readonly string[],
): Promise<number> {
  const { fold, seed = null, k, perStep = null, epochs, rate, headRate = null, keep = null } = options;
  return await withEngine(
    options.store,
    (engine) =>
      abortOnSignal(async (signal) => {
        const study = await findStudy(engine, named);
        const { studyId, jobId } = await engine.api.fineTuneStudy({
          ...{ studyId: study.id, fold: fold - 1, seed, tiles: k, tilesPerStep: perStep },
          ...{ frozenUpTo: keep, epochs, rate, headRate },
        });
        const bar = terminal.progress(`${study.plan.name}, fine-tuning`);
        await awaitJob(engine, jobId, ({ progress }) => bar.update(progress), signal).finally(() => bar.stop());
        const tuned = await engine.api.getStudy(studyId);
        const backbone = (await engine.api.listBackbones()).find(({ id }) => id === tuned.plan.backboneId);
        terminal.printJson({ study: tuned, backbone: backbone ?? null });
        terminal.print(`backbone ${backbone?.name}: ${backbone?.method}\n${describeStudy(tuned)}`);
        for (const line of beforeAndAfter(study, tuned)) terminal.print(line);
        return EXIT.ok;
      }),
    options.threads,
  );
}
