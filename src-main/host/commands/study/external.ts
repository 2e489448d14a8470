import type { Command } from 'commander';
import { abortOnSignal } from '../../abort-on-signal.ts';
import { awaitJob } from '../../await-job.ts';
import { EXIT } from '../../exit-codes.ts';
import type { Terminal } from '../../terminal.ts';
import { type Finish, newCommand, numberWithin, runs, STORE_OPTION } from '../command.ts';
import { findStudy } from './find-study.ts';
import { figureTable, withEngine } from './show.ts';

interface ExternalOptions {
  readonly store?: string;
  readonly threads: number;
}

export function externalCommand(finish: Finish): Command {
  const command = newCommand('external', 'judge the slides of a second study by the locked heads of a first')
    .argument('<study>', 'trained study whose heads are locked')
    .argument('<other>', 'study with the slides and labels to judge on; it needs no training')
    .option(...STORE_OPTION)
    .option('--threads <number>', 'threads for the model; 0 = all cores', numberWithin(0, 1024, 'integer'), 0);
  return runs<ExternalOptions>(command, finish, validate);
}

async function validate(
  options: ExternalOptions,
  terminal: Terminal,
  [named = '', otherNamed = '']: readonly string[],
): Promise<number> {
  return await withEngine(
    options.store,
    (engine) =>
      abortOnSignal(async (signal) => {
        const study = await findStudy(engine, named);
        const other = await findStudy(engine, otherNamed);
        const { jobId } = await engine.api.validateStudy(study.id, other.id);
        const bar = terminal.progress(`${study.plan.name} on ${other.plan.name}`);
        await awaitJob(engine, jobId, ({ progress }) => bar.update(progress), signal).finally(() => bar.stop());
        const { outcome } = await engine.api.getStudy(study.id);
        const result = outcome?.external.find(({ studyId }) => studyId === other.id);
        terminal.printJson(result ?? null);
        if (result === undefined) return EXIT.failed;
        const who = result.patientsUnknown
          ? 'optimistic: images treated as independent'
          : `${result.patients} patients`;
        terminal.print(
          [
            `${study.plan.name}, heads ${result.headsSha256.slice(0, 16)} locked, on ${other.plan.name}: ${result.slides} slides, ${who}`,
            result.unlike === null
              ? 'Too few training slides to say which of them lie outside the training data'
              : `${result.unlike} slides lie outside the training data`,
            figureTable(result.figures, result.patientsUnknown),
          ].join('\n'),
        );
        return EXIT.ok;
      }),
    options.threads,
  );
}
