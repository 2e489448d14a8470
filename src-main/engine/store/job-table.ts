import type { Database } from 'better-sqlite3';
import { parseStored } from './codec.ts';
import type { JobRecord } from './store.ts';
import type { SyncStore } from './sync-store.ts';

export const JOB_SQL = {
  put: `INSERT INTO job (id, slide_id, created_at_ms, job_json, payload_json) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET slide_id = excluded.slide_id, created_at_ms = excluded.created_at_ms,
      job_json = excluded.job_json, payload_json = excluded.payload_json`,
  get: 'SELECT job_json, payload_json FROM job WHERE id = ?',
  list: 'SELECT job_json, payload_json FROM job ORDER BY created_at_ms DESC',
  remove: 'DELETE FROM job WHERE id = ?',
  getSetting: 'SELECT value FROM setting WHERE key = ?',
  setSetting: 'INSERT INTO setting (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
} as const;

interface JobRow {
  readonly job_json: string;
  readonly payload_json: string;
}

function recordOf(row: JobRow): JobRecord {
  return { job: parseStored(row.job_json, 'job'), payloadJson: row.payload_json };
}

type JobMethods = Pick<SyncStore, 'putJob' | 'getJob' | 'listJobs' | 'removeJob' | 'getSetting' | 'setSetting'>;

/** Jobs and settings. */
export function jobTable(db: Database): JobMethods {
  const put = db.prepare<[string, string | null, number, string, string]>(JOB_SQL.put);
  const get = db.prepare<[string], JobRow>(JOB_SQL.get);
  const list = db.prepare<[], JobRow>(JOB_SQL.list);
  const remove = db.prepare<[string]>(JOB_SQL.remove);
  const getSetting = db.prepare<[string], { value: string }>(JOB_SQL.getSetting);
  const setSetting = db.prepare<[string, string]>(JOB_SQL.setSetting);
  return {
    putJob: ({ job, payloadJson }) => {
      put.run(job.id, job.slideId, job.createdAtMs, JSON.stringify(job), payloadJson);
    },
    getJob: (id) => {
      const row = get.get(id);
      return row === undefined ? null : recordOf(row);
    },
    listJobs: () => list.all().map(recordOf),
    removeJob: (id) => {
      remove.run(id);
    },
    getSetting: (key) => getSetting.get(key)?.value ?? null,
    setSetting: (key, value) => {
      setSetting.run(key, value);
    },
  };
}
