import { basename } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { AppError } from '../../../../src-shared/errors.ts';
import type { SlideId } from '../../../../src-shared/model/ids.ts';
import type { Study, StudyPlan, StudyRow } from '../../../../src-shared/model/study.ts';
import { nextVersion, type RowChange, relabelledPlan } from '../../../../src-shared/model/study-version.ts';
import type { Engine } from '../../../engine/engine.ts';
import { slideStem } from '../../../engine/extract/slide-list.ts';
import { listed } from '../../../engine/study/splits.ts';
import { EXIT } from '../../exit-codes.ts';
import { listSlides } from '../../extraction/slide-list.ts';
import { formatTable, type Terminal } from '../../terminal.ts';
import { type Finish, newCommand, runs, STORE_OPTION } from '../command.ts';
import { findStudy } from './find-study.ts';
import { labelColumn } from './make-plan.ts';
import { describeAudit, withEngine } from './show.ts';

/** A label for a slide that the user names. */
interface Wanted extends RowChange {
  readonly slide: string;
}

interface LabelsOptions {
  readonly store?: string;
  readonly set: readonly Wanted[];
  readonly csv?: string;
  readonly label?: string;
  readonly name?: string;
}

export function labelsCommand(finish: Finish): Command {
  const command = newCommand('labels', 'show the labels of a study, or change them; a trained study gets a new version')
    .argument('<study>', 'identifier of the study, or its beginning, or its name')
    .option('--set <slide=label>', 'label of one slide, may be repeated; an empty one takes the slide out', oneMore, [])
    .option('--csv <file>', 'table with slide_id (or wsi) and labels, perhaps case_id; slides it does not name stay')
    .option('--label <column>', 'label column of the table, where there are several')
    .option('--name <text>', 'name of the new version of a trained study')
    .option(...STORE_OPTION);
  return runs<LabelsOptions>(command, finish, labels);
}

function oneMore(text: string, before: readonly Wanted[]): readonly Wanted[] {
  // Labels hold no equals sign as often as names of files do.
  const at = text.lastIndexOf('=');
  if (at < 1) throw new InvalidArgumentError('Give it as SLIDE=LABEL.');
  return [...before, { slide: text.slice(0, at).trim(), label: text.slice(at + 1).trim() }];
}

async function labels(options: LabelsOptions, terminal: Terminal, [named = '']: readonly string[]): Promise<number> {
  const wanted = [...(options.csv === undefined ? [] : await readLabels(options.csv, options.label)), ...options.set];
  return await withEngine(options.store, async (engine) => {
    const study = await findStudy(engine, named);
    if (wanted.length === 0) {
      terminal.printJson(study.plan.rows);
      terminal.print(describeRows(study.plan));
      return EXIT.ok;
    }
    const plan = relabelledPlan(study.plan, changesOf(study.plan.rows, wanted));
    const changed = await keep(engine, study, plan, options.name);
    const audit = await engine.api.auditStudy(changed.plan);
    terminal.printJson({ study: changed, audit });
    const what = changed.id === study.id ? 'changed' : `a new version of ${study.plan.name}, which stays`;
    terminal.print(
      `${changed.plan.name} (${changed.id}): ${what}\n${describeAudit(audit, changed.plan.patientsUnknown)}`,
    );
    terminal.print(`Train it: hyaline study train ${changed.id.slice(0, 8)}`);
    return EXIT.ok;
  });
}

/** Results stay with the labels they come from: a trained study is not changed. Throws as `createStudy`, `updateStudy`. */
async function keep(engine: Engine, study: Study, plan: StudyPlan, name: string | undefined): Promise<Study> {
  if (study.outcome === null) {
    return await engine.api.updateStudy(study.id, name === undefined ? plan : { ...plan, name });
  }
  // What a fine-tuning made is of its own labels.
  const { fineTuning: _, ...rest } = plan;
  const basedOn = { id: study.id, name: study.plan.name };
  return await engine.api.createStudy({ ...rest, name: name ?? nextVersion(plan.name), basedOn });
}

async function readLabels(path: string, wanted: string | undefined): Promise<readonly Wanted[]> {
  const rows = await listSlides(path);
  const column = labelColumn([...new Set(rows.flatMap((row) => Object.keys(row.labels)))], wanted);
  return rows.map((row) => ({
    slide: basename(row.path),
    label: row.labels[column] ?? '',
    ...(row.caseId !== null && { patient: row.caseId }),
  }));
}

/** Throws InvalidRequest naming slides that the study does not have, or that are told twice. */
function changesOf(rows: readonly StudyRow[], wanted: readonly Wanted[]): ReadonlyMap<SlideId, RowChange> {
  const changes = new Map<SlideId, RowChange>();
  const unknown: string[] = [];
  for (const { slide, ...change } of wanted) {
    const found = rows.filter((row) => row.slideName === slide || slideStem(row.slideName) === slideStem(slide));
    const row = found.find(({ slideName }) => slideName === slide) ?? (found.length === 1 ? found[0] : undefined);
    if (row === undefined) unknown.push(slide);
    else changes.set(row.slideId, { ...changes.get(row.slideId), ...change });
  }
  if (unknown.length === 0) return changes;
  throw new AppError('InvalidRequest', `These slides are not in the study: ${listed(unknown)}.`, {
    advice: 'hyaline study labels STUDY names its slides. New ones come in with: hyaline study new LABELS.csv.',
    detail: unknown.join(', '),
  });
}

function describeRows({ rows, patientsUnknown }: StudyPlan): string {
  return formatTable(
    rows.map(({ slideId, slideName, patient, label }) => {
      const who = patientsUnknown || patient === slideId ? '' : ` (${patient})`;
      return [slideName || slideId, `${label}${who}`] as const;
    }),
  );
}
