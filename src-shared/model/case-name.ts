import type { StudyPlan } from './study.ts';

/** A row of a table: what it writes for the patient, and for the slide (perhaps a path). */
export interface NamedCase {
  readonly patient: string;
  readonly slide: string;
}

/**
 * True where a table names patients. Tables without any often repeat the slide in the column of cases: where all rows do,
 * with or without folder and ending, nobody is named. One slide called after its patient is no such table.
 */
export function namesPatients(rows: readonly NamedCase[]): boolean {
  return rows.some(({ patient, slide }) => {
    const name = slide.split(/[\\/]/).at(-1) ?? slide;
    return !['', slide, name, name.replace(/\.[^.]*$/, '')].includes(patient);
  });
}

/** TCGA barcodes begin with project, source site and participant: https://docs.gdc.cancer.gov/Encyclopedia/pages/TCGA_Barcode/ */
const TCGA_CASE = /^TCGA-[A-Z0-9]{2}-[A-Z0-9]{4}(?=$|[-._])/;

/** The patient that the name of a slide tells; null where it tells none. */
export const patientInName = (slideName: string): string | null => TCGA_CASE.exec(slideName)?.[0] ?? null;

/** Patients that the names of a study's slides tell although it knows of none; 0 where a name tells nobody. */
export function patientsInNames({ patientsUnknown, rows }: Pick<StudyPlan, 'patientsUnknown' | 'rows'>): number {
  if (!patientsUnknown) return 0;
  const patients = rows.map(({ slideName }) => patientInName(slideName));
  return patients.includes(null) ? 0 : new Set(patients).size;
}
