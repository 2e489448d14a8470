/** One step of the schema. A landed migration is never edited: a later one corrects it. */
export interface Migration {
  /** 1, 2, 3, … without gaps; stored as SQLite's user_version. */
  readonly version: number;
  /** The oldest schema version an app may know and still read (not write) a store this step has been applied to. */
  readonly readableFrom: number;
  readonly sql: string;
}
