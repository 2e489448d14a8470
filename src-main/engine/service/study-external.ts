import { AppError } from '../../../src-shared/errors.ts';
import type { ExternalValidation, Study, StudyOutcome } from '../../../src-shared/model/study.ts';
import { listed } from '../study/splits.ts';
import { type OutOfFold, studyFigures } from '../study/study-figures.ts';
import { type FeatureReader, rowsOf, type StudyHeads } from './study-heads.ts';
import { type ExtractedSlide, figureOf, spreadOf } from './study-outcome.ts';
import { casesOf } from './study-plan.ts';

export type TrainedStudy = Study & { readonly outcome: StudyOutcome };

/**
 * Refuses to validate where the second study is no new data: the same slides (by fingerprint), the same patients, a
 * class the heads do not know.
 * @throws AppError InvalidRequest naming them.
 */
export function checkIndependent({ plan, outcome }: TrainedStudy, other: Study): void {
  const own = new Set(plan.rows.map(({ slideId }) => slideId));
  const slides = other.plan.rows.filter(({ slideId }) => own.has(slideId)).map(({ slideName }) => slideName);
  if (slides.length > 0) {
    throw new AppError('InvalidRequest', `These slides are in both studies: ${listed(slides)}.`, {
      advice: 'Validate on slides that had no part in the training.',
      detail: slides.join(', '),
    });
  }
  const known = new Set(plan.patientsUnknown ? [] : plan.rows.map(({ patient }) => patient));
  const named = other.plan.patientsUnknown ? [] : other.plan.rows.map(({ patient }) => patient);
  const patients = [...new Set(named.filter((patient) => known.has(patient)))].sort();
  if (patients.length > 0) {
    throw new AppError('InvalidRequest', `These patients are in both studies: ${listed(patients)}.`, {
      advice: 'Take them out of one; where different people share a number, give them different ones.',
      detail: patients.join(', '),
    });
  }
  const foreign = [...new Set(other.plan.rows.map(({ label }) => label))].filter((l) => !outcome.classes.includes(l));
  if (foreign.length > 0) {
    throw new AppError('InvalidRequest', `The heads know no class ${listed(foreign.sort())}.`, {
      advice: `They tell apart: ${outcome.classes.join(', ')}. Use the same labels in both studies.`,
    });
  }
}

/** Reads the features of one slide of the second study, made as the first study's were. */
export type BagReader = (index: number) => Promise<{
  readonly slide: ExtractedSlide;
  readonly run: Parameters<StudyHeads['judge']>[1];
  readonly features: FeatureReader;
}>;

/**
 * All heads of a trained study, locked, on the slides of another: nothing is trained, chosen or adjusted. The threshold
 * is the median of the folds', each chosen on its validation part.
 */
export async function validateExternally(
  study: TrainedStudy,
  other: Study,
  heads: StudyHeads,
  read: BagReader,
  onSlide: (done: number) => void,
): Promise<ExternalValidation> {
  const rows: (OutOfFold & { readonly slide: ExtractedSlide; readonly unlike: boolean | null })[] = [];
  let headsSha256 = '';
  for (const caseIndex of other.plan.rows.keys()) {
    const { slide, run, features } = await read(caseIndex);
    const judged = await heads.judge(study, run, features);
    headsSha256 ||= judged.headsSha256;
    const all = rowsOf(judged);
    const bySeed = study.plan.seeds.map((seed) => meanRows(all.filter((_, i) => judged.heads[i]?.seed === seed)));
    const typicality = await heads.typicality(study, run, judged);
    const unlike = typicality?.unlike ?? null;
    rows.push({ ...{ caseIndex, fold: 0, probabilities: meanRows(all), bySeed, slide, unlike } });
    onSlide(caseIndex + 1);
  }
  const { classes, positiveClass, thresholds } = study.outcome;
  const threshold = thresholds.length === 0 ? null : median(thresholds);
  const figures = await studyFigures(casesOf(other.plan), classes, rows, {
    splitSeed: study.plan.splitSeed,
    positive: positiveClass === null ? null : classes.indexOf(positiveClass),
    thresholds: threshold === null ? [] : [{ ofMean: threshold, bySeed: study.plan.seeds.map(() => threshold) }],
  });
  return {
    ...{ studyId: other.id, studyName: other.plan.name, finishedAtMs: Date.now(), headsSha256 },
    slides: rows.length,
    patients: new Set(casesOf(other.plan).map(({ group }) => group)).size,
    patientsUnknown: other.plan.patientsUnknown,
    figures: figures.map(figureOf),
    predictions: rows.flatMap(({ caseIndex, probabilities, bySeed, slide }) => {
      const row = other.plan.rows[caseIndex];
      if (row === undefined) return [];
      return [{ slideId: row.slideId, runId: slide.runId, probabilities, spread: spreadOf(bySeed) }];
    }),
    threshold,
    unlike: rows.every((row) => row.unlike === null) ? null : rows.filter((row) => row.unlike === true).length,
  };
}

function meanRows(rows: readonly (readonly number[])[]): number[] {
  return Array.from(rows[0] ?? [], (_, c) => rows.reduce((sum, row) => sum + (row[c] ?? 0), 0) / rows.length);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}
