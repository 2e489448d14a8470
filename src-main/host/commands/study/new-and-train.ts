import { stat } from 'node:fs/promises';
import type { Command } from 'commander';
import { AppError } from '../../../../src-shared/errors.ts';
import type { JobId, StudyId } from '../../../../src-shared/model/ids.ts';
import type { StudyPlan } from '../../../../src-shared/model/study.ts';
import { relabellingAssumption } from '../../../../src-shared/model/training-preset.ts';
import type { Engine } from '../../../engine/engine.ts';
import { abortOnSignal } from '../../abort-on-signal.ts';
import { awaitJob } from '../../await-job.ts';
import { EXIT } from '../../exit-codes.ts';
import type { Terminal } from '../../terminal.ts';
import { type Finish, newCommand, runs } from '../command.ts';
import { findStudy } from './find-study.ts';
import { makePlan, readStudyTable } from './make-plan.ts';
import { type PlanOptions, withPlanOptions } from './plan-options.ts';
import { describeAudit, describeStudy, withEngine } from './show.ts';

const LABELS = 'table with slide_id (or wsi), a label column, case_id where patients are known, perhaps site';

export function newStudyCommand(finish: Finish): Command {
  const command = newCommand('new', 'make a study and show what its splits hold; nothing is trained').argument(
    '<labels.csv>',
    LABELS,
  );
  return runs<PlanOptions>(withPlanOptions(command), finish, makeStudy);
}

export function trainCommand(finish: Finish): Command {
  const command = newCommand('train', 'train a study, or go on with one that was interrupted').argument(
    '<study|labels.csv>',
    `a study that was made, or a ${LABELS}`,
  );
  return runs<PlanOptions>(withPlanOptions(command), finish, train);
}

async function makeStudy(options: PlanOptions, terminal: Terminal, [labels = '']: readonly string[]): Promise<number> {
  const table = await readStudyTable(labels, options);
  return await withEngine(
    options.store,
    async (engine) => {
      const plan = await makePlan(engine, table, options);
      const audit = await engine.api.auditStudy(plan);
      const study = await engine.api.createStudy(plan);
      terminal.printJson({ study, audit });
      const short = study.id.slice(0, 8);
      const next =
        plan.splitting.kind === 'none'
          ? `Validate another on it: hyaline study external STUDY ${short}`
          : `Train it: hyaline study train ${short}`;
      terminal.print(
        [`${plan.name} (${study.id})`, describeAudit(audit, plan.patientsUnknown), ...assumptionsOf(plan), next].join(
          '\n',
        ),
      );
      return EXIT.ok;
    },
    options.threads,
  );
}

async function train(options: PlanOptions, terminal: Terminal, [what = '']: readonly string[]): Promise<number> {
  const isTable = (await stat(what).catch(() => null))?.isFile() ?? false;
  if (!isTable && /\.(csv|tsv|txt)$/i.test(what)) {
    throw new AppError('NotFound', `There is no table ${what}.`, { advice: 'Check its path.' });
  }
  const table = isTable ? await readStudyTable(what, options) : null;
  return await withEngine(
    options.store,
    (engine) =>
      abortOnSignal(async (signal) => {
        const { id, plan } =
          table === null
            ? await findStudy(engine, what)
            : await engine.api.createStudy(await makePlan(engine, table, options));
        for (const assumption of assumptionsOf(plan)) terminal.note(assumption);
        const { jobId } = await engine.api.trainStudy(id);
        return await waitAndShow(engine, id, jobId, terminal, signal);
      }),
    options.threads,
  );
}

/** What its training takes for granted that only the user can know. */
function assumptionsOf({ rows, steadying, positiveClass }: StudyPlan): readonly string[] {
  if (steadying?.relabelled !== true) return [];
  const classes = [...new Set(rows.map(({ label }) => label))];
  return [`Tiles are relabelled. ${relabellingAssumption(classes, positiveClass)} --positive CLASS names another.`];
}

async function waitAndShow(
  engine: Engine,
  id: StudyId,
  jobId: JobId,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<number> {
  const { plan } = await engine.api.getStudy(id);
  const bar = terminal.progress(plan.name);
  await awaitJob(engine, jobId, ({ progress }) => bar.update(progress), signal)
    .catch((error: unknown) => {
      if (!(error instanceof AppError) || error.code !== 'Cancelled') throw error;
      throw new AppError('Cancelled', 'Cancelled.', { advice: `Go on with: hyaline study train ${id.slice(0, 8)}` });
    })
    .finally(() => bar.stop());
  const study = await engine.api.getStudy(id);
  terminal.printJson(study);
  terminal.print(describeStudy(study));
  return EXIT.ok;
}
