import type { LabelledSlide } from './label-table.ts';

export interface ClassCount {
  readonly label: string;
  readonly slides: number;
  readonly patients: number;
}

export interface StudyCheck {
  readonly classes: readonly ClassCount[];
  readonly slides: number;
  readonly patients: number;
  /** No row names a patient: every slide counts as one. */
  readonly patientsUnknown: boolean;
  /** Why the study cannot start, a sentence each. */
  readonly problems: readonly string[];
  /** What should be known before it starts. */
  readonly warnings: readonly string[];
}

/** Counts classes and patients of the labelled slides and says what stands in the way of `folds` folds (or parts). */
export function checkStudy(rows: readonly LabelledSlide[], folds: number): StudyCheck {
  const labelled = rows.filter(({ label }) => label !== '');
  const patientsUnknown = labelled.every(({ patient }) => patient === '');
  const classes = countClasses(labelled);
  return {
    classes,
    slides: labelled.length,
    patients: new Set(labelled.map(patientOf)).size,
    patientsUnknown,
    problems: labelled.length === 0 ? ['No slide has a label yet.'] : problemsOf(classes, folds, patientsUnknown),
    warnings: warningsOf(rows, labelled, patientsUnknown),
  };
}

/** The patient a slide stays with; a slide without one is a patient of its own. */
export const patientOf = ({ patient, slideId }: LabelledSlide): string => (patient === '' ? slideId : patient);

function countClasses(labelled: readonly LabelledSlide[]): readonly ClassCount[] {
  const labels = [...new Set(labelled.map(({ label }) => label))].sort();
  return labels.map((label) => {
    const own = labelled.filter((row) => row.label === label);
    return { label, slides: own.length, patients: new Set(own.map(patientOf)).size };
  });
}

function problemsOf(classes: readonly ClassCount[], folds: number, patientsUnknown: boolean): readonly string[] {
  const [only] = classes;
  if (classes.length === 1 && only) return [`All slides are labelled ${only.label}. A study needs two classes.`];
  const what = patientsUnknown ? 'slide' : 'patient';
  return classes
    .filter(({ patients }) => patients < folds)
    .map(({ label, patients }) => {
      const count = `${patients} ${what}${patients === 1 ? '' : 's'}`;
      const fewer = patients >= 3 ? ' Use fewer folds, or add some.' : ' Three are the least.';
      return `${label} has ${count}, fewer than the ${folds} folds.${fewer}`;
    });
}

function warningsOf(
  rows: readonly LabelledSlide[],
  labelled: readonly LabelledSlide[],
  patientsUnknown: boolean,
): readonly string[] {
  const warnings: string[] = [];
  const unlabelled = rows.length - labelled.length;
  if (unlabelled > 0)
    warnings.push(`${counted(unlabelled, 'slide')} without a label ${unlabelled === 1 ? 'is' : 'are'} left out.`);
  const lone = labelled.filter(({ patient }) => patient === '').length;
  if (!patientsUnknown && lone > 0) {
    warnings.push(
      `${counted(lone, 'slide')} without a patient ${lone === 1 ? 'counts as its' : 'count as their'} own.`,
    );
  }
  if (patientsUnknown && labelled.length > 0) {
    warnings.push('No patients are named. Intervals are optimistic: images treated as independent.');
  }
  return warnings;
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
