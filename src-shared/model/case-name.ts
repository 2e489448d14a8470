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
