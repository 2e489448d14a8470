import { ATTENTION_CAUTION } from '../../../../src-shared/model/attention-view.ts';
import {
  fewSeedsNote,
  type Study,
  type StudyAudit,
  type StudyFigure,
  type StudyPartAudit,
} from '../../../../src-shared/model/study.ts';
import type { Engine } from '../../../engine/engine.ts';
import { EXIT } from '../../exit-codes.ts';
import { openEngine } from '../../open-engine.ts';
import { storeFolder } from '../../store-folder.ts';
import { formatTable, type Terminal } from '../../terminal.ts';
import { findStudy } from './find-study.ts';

export async function listStudies(options: { store?: string }, terminal: Terminal): Promise<number> {
  return await withEngine(options.store, async (engine) => {
    const studies = await engine.api.listStudies();
    terminal.printJson(studies);
    terminal.print(studies.length === 0 ? 'No studies yet.' : formatTable(studies.map(line)));
    return EXIT.ok;
  });
}

export async function showStudy(
  options: { store?: string },
  terminal: Terminal,
  [named = '']: readonly string[],
): Promise<number> {
  return await withEngine(options.store, async (engine) => {
    const study = await findStudy(engine, named);
    terminal.printJson(study);
    terminal.print(describeStudy(study));
    return EXIT.ok;
  });
}

export async function withEngine<T>(
  store: string | undefined,
  use: (engine: Engine) => Promise<T>,
  threads = 0,
): Promise<T> {
  const engine = await openEngine(storeFolder(store), threads);
  try {
    return await use(engine);
  } finally {
    await engine.close();
  }
}

const line = ({ id, plan, outcome }: Study): readonly [string, string] => [
  id.slice(0, 8),
  `${plan.name}, ${plan.rows.length} slides, ${outcome === null ? 'not trained' : `AUC ${figureText(outcome.figures[0], plan.patientsUnknown ? 'slides' : 'patients')}`}`,
];

/** A study as text: how it was split and judged, its figures, what is known of its maps, external validations. */
export function describeStudy({ id, plan, outcome }: Study): string {
  if (outcome === null) return `${plan.name} (${id}): not trained yet.`;
  const over = plan.patientsUnknown ? 'slides (optimistic: images treated as independent)' : 'patients';
  const positive = outcome.positiveClass === null ? '' : `; positive: ${outcome.positiveClass}`;
  const { checks } = outcome;
  return [
    `${plan.name} (${id}): ${plan.rows.length} slides, ${outcome.classes.join(' / ')}${positive}`,
    `${outcome.audits.length} splits x ${plan.seeds.length} seeds; intervals: 95 % bootstrap over ${over}`,
    ...[fewSeedsNote(plan.seeds.length)].filter((note) => note !== ''),
    figureTable(outcome.figures, plan.patientsUnknown),
    ...(checks === null
      ? []
      : [
          `Maps: ${ATTENTION_CAUTION} Rank correlation of seeds ${text(checks.seedAgreement)}, with shuffled labels ${text(checks.shuffled?.agreement ?? null)}.`,
        ]),
    ...outcome.external.map(
      ({ studyName, slides, figures, unlike, patientsUnknown }) =>
        `On ${studyName}, heads locked: ${slides} slides${unlike === null ? '' : `, ${unlike} unlike the training data`}${patientsUnknown ? ' (optimistic: images treated as independent)' : ''}\n${figureTable(figures, patientsUnknown)}`,
    ),
  ].join('\n');
}

/** @param patientsUnknown true where the bootstrap took slides for patients. */
export function figureTable(figures: readonly StudyFigure[], patientsUnknown: boolean): string {
  const noun = patientsUnknown ? 'slides' : 'patients';
  return formatTable(figures.map((figure) => [figure.name, figureText(figure, noun)] as const));
}

/** What each part of each split holds. */
export function describeAudit(
  { classes, positiveClass, splits, validationTaken }: StudyAudit,
  patientsUnknown: boolean,
): string {
  const part = ({ slides, patients, sites, labels }: StudyPartAudit): string => {
    const counts = Object.entries(labels).map(([label, count]) => `${label} ${count}`);
    const who = patientsUnknown ? '' : `, ${patients} patient${patients === 1 ? '' : 's'}`;
    const where = sites > 0 ? `, ${sites} site${sites === 1 ? '' : 's'}` : '';
    return `${slides} slide${slides === 1 ? '' : 's'}${who}${where} (${counts.join(', ')})`;
  };
  return [
    `Classes: ${classes.join(' / ')}${positiveClass === null ? '' : `; positive: ${positiveClass}`}`,
    ...splits.map(
      ({ train, validation, test, leftOut }, i) =>
        `Split ${i + 1}: training ${part(train)}; validation ${part(validation)}; test ${part(test)}${leftOut > 0 ? `; ${leftOut} left out` : ''}`,
    ),
    ...(patientsUnknown ? ['No patients are named: intervals will be optimistic, images treated as independent.'] : []),
    ...(validationTaken ? ['Validation parts were taken from the training parts: the file names none.'] : []),
  ].join('\n');
}

function figureText(figure: StudyFigure | undefined, noun: string): string {
  if (figure === undefined || figure.value === null) return 'not defined';
  const { value, low, high, patientSd, seedSd } = figure;
  const interval = low === null || high === null ? '' : ` (${text(low)} to ${text(high)})`;
  const spread = [
    ...(patientSd === null ? [] : [`${noun} ±${text(patientSd)}`]),
    ...(seedSd === null ? [] : [`seeds ±${text(seedSd)}`]),
  ];
  return `${text(value)}${interval}${spread.length === 0 ? '' : `, ${spread.join(', ')}`}`;
}

const text = (value: number | null): string => (value === null ? 'not known' : value.toFixed(3));
