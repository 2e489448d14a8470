import type { Database } from 'better-sqlite3';
import { AppError } from '../../../src-shared/errors.ts';
import type { BackboneId, JobId, RunId, SlideId } from '../../../src-shared/model/ids.ts';
import { asId } from '../../../src-shared/model/ids.ts';
import type { Provenance, Run, RunState } from '../../../src-shared/model/run.ts';
import { parseStored } from './codec.ts';
import { isDuplicate, isOrphan } from './sqlite-errors.ts';
import type { StoreUsage } from './store.ts';
import type { SyncStore } from './sync-store.ts';

export const RUN_SQL = {
  create: `INSERT INTO run (id, slide_id, grid_id, backbone_id, backbone_name, cut, normalisation, "precision", feature_dim,
      state, tile_count, tiles_done, feature_bytes, created_at_ms, finished_at_ms, seconds_spent, provenance_json, job_id)
    VALUES (@id, @slideId, @gridId, @backboneId, @backboneName, @cut, @normalisation, @precision, @featureDim,
      @state, @tileCount, 0, 0, @createdAtMs, @finishedAtMs, @secondsSpent, @provenanceJson, @jobId)`,
  get: 'SELECT * FROM run WHERE id = ?',
  find: `SELECT * FROM run WHERE slide_id = ? AND grid_id = ? AND backbone_id = ? AND cut = ? AND normalisation = ?
    AND "precision" = ?`,
  list: 'SELECT * FROM run ORDER BY created_at_ms DESC',
  listOfSlide: 'SELECT * FROM run WHERE slide_id = ? ORDER BY created_at_ms DESC',
  update: `UPDATE run SET state = @state, seconds_spent = @secondsSpent, finished_at_ms = @finishedAtMs,
    job_id = @jobId, provenance_json = @provenanceJson WHERE id = @id`,
  remove: 'DELETE FROM run WHERE id = ?',
  pauseRunning: "UPDATE run SET state = 'paused' WHERE state = 'running'",
  featureBytes: 'SELECT coalesce(sum(feature_bytes), 0) AS bytes FROM run',
  usage: `SELECT run.slide_id, slide.name AS slide_name, run.backbone_id, max(run.backbone_name) AS backbone_name,
      count(*) AS run_count, sum(run.tiles_done) AS tile_count, sum(run.feature_bytes) AS feature_bytes,
      sum((SELECT coalesce(sum(value_bytes), 0) FROM map WHERE map.run_key = run.run_key)
        + (SELECT coalesce(sum(value_bytes), 0) FROM judgement WHERE judgement.run_key = run.run_key)) AS map_bytes
    FROM run JOIN slide ON slide.id = run.slide_id
    GROUP BY run.slide_id, run.backbone_id ORDER BY feature_bytes + map_bytes DESC`,
} as const;

interface RunRow {
  readonly id: string;
  readonly slide_id: string;
  readonly backbone_id: string;
  readonly backbone_name: string;
  readonly cut: string;
  readonly state: RunState;
  readonly tile_count: number;
  readonly tiles_done: number;
  readonly created_at_ms: number;
  readonly finished_at_ms: number | null;
  readonly seconds_spent: number;
  readonly provenance_json: string;
  readonly job_id: string | null;
}

interface UsageRow {
  readonly slide_id: string;
  readonly slide_name: string;
  readonly backbone_id: string;
  readonly backbone_name: string;
  readonly run_count: number;
  readonly tile_count: number;
  readonly feature_bytes: number;
  readonly map_bytes: number;
}

function runOf(row: RunRow): Run {
  return {
    id: asId<RunId>(row.id),
    slideId: asId<SlideId>(row.slide_id),
    backboneId: asId<BackboneId>(row.backbone_id),
    backboneName: row.backbone_name,
    cut: row.cut,
    state: row.state,
    tileCount: row.tile_count,
    tilesDone: row.tiles_done,
    createdAtMs: row.created_at_ms,
    finishedAtMs: row.finished_at_ms,
    secondsSpent: row.seconds_spent,
    provenance: parseStored<Provenance>(row.provenance_json, 'run'),
    jobId: row.job_id === null ? null : asId<JobId>(row.job_id),
  };
}

function usageOf(row: UsageRow): StoreUsage {
  return {
    slideId: asId<SlideId>(row.slide_id),
    slideName: row.slide_name,
    backboneId: asId<BackboneId>(row.backbone_id),
    backboneName: row.backbone_name,
    runCount: row.run_count,
    tileCount: row.tile_count,
    featureBytes: row.feature_bytes,
    mapBytes: row.map_bytes,
  };
}

/** The error of a run id nobody knows. */
export function runNotFound(id: RunId): AppError {
  return new AppError('NotFound', 'This analysis is no longer in the store.', {
    advice: 'Start it again from the slide.',
    detail: `run ${id}`,
  });
}

function requireAgreement(run: Run, provenance: Provenance): void {
  const agrees =
    run.slideId === provenance.slideId && run.backboneId === provenance.backboneId && run.cut === provenance.cut;
  if (!agrees) {
    throw new AppError('InvalidRequest', 'A run and its provenance must name the same slide, backbone and cut.', {
      detail: `run ${run.id}`,
    });
  }
}

type RunMethods = Pick<
  SyncStore,
  'createRun' | 'getRun' | 'findRun' | 'listRuns' | 'updateRun' | 'removeRun' | 'usage'
> & {
  featureBytes(): number;
  /** What a killed process left running is paused: only the owner of the store runs anything, and it has just begun. */
  pauseRunning(): void;
};

/** The runs: one per identity, with what made them. */
export function runTable(db: Database): RunMethods {
  const create = db.prepare(RUN_SQL.create);
  const get = db.prepare<[string], RunRow>(RUN_SQL.get);
  const find = db.prepare<string[], RunRow>(RUN_SQL.find);
  const list = db.prepare<[], RunRow>(RUN_SQL.list);
  const listOfSlide = db.prepare<[string], RunRow>(RUN_SQL.listOfSlide);
  const update = db.prepare(RUN_SQL.update);
  const remove = db.prepare<[string]>(RUN_SQL.remove);
  const pauseRunning = db.prepare<[]>(RUN_SQL.pauseRunning);
  const featureBytes = db.prepare<[], { bytes: number }>(RUN_SQL.featureBytes);
  const usage = db.prepare<[], UsageRow>(RUN_SQL.usage);

  return {
    createRun: (run) => {
      requireAgreement(run, run.provenance);
      try {
        create.run({ ...rowValues(run), ...identityValues(run.provenance) });
      } catch (error) {
        if (isDuplicate(error)) {
          throw new AppError('InvalidRequest', 'This analysis is in the store already.', {
            detail: `run ${run.id}`,
            cause: error,
          });
        }
        if (isOrphan(error)) {
          throw new AppError('NotFound', 'The slide or tile grid of this analysis is not in the store.', {
            detail: `run ${run.id}`,
            cause: error,
          });
        }
        throw error;
      }
    },
    getRun: (id) => {
      const row = get.get(id);
      return row === undefined ? null : runOf(row);
    },
    findRun: ({ slideId, gridId, backboneId, cut, normalisation, precision }) => {
      const row = find.get(slideId, gridId, backboneId, cut, normalisation, precision);
      return row === undefined ? null : runOf(row);
    },
    listRuns: (slideId) => (slideId === null ? list.all() : listOfSlide.all(slideId)).map(runOf),
    updateRun: db.transaction((id, patch): Run => {
      const row = get.get(id);
      if (row === undefined) throw runNotFound(id);
      const changed: Run = { ...runOf(row), ...patch };
      requireAgreement(changed, changed.provenance);
      update.run(rowValues(changed));
      return changed;
    }) as RunMethods['updateRun'],
    removeRun: (id) => {
      remove.run(id);
    },
    usage: () => usage.all().map(usageOf),
    pauseRunning: () => {
      pauseRunning.run();
    },
    featureBytes: () => featureBytes.get()?.bytes ?? 0,
  };
}

function rowValues(run: Run) {
  return { ...run, provenance: null, provenanceJson: JSON.stringify(run.provenance) };
}

function identityValues({ gridId, normalisation, precision, featureDim }: Provenance) {
  return { gridId, normalisation, precision, featureDim };
}
