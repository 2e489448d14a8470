import type { Database } from 'better-sqlite3';
import type { SlideId } from '../../../src-shared/model/ids.ts';
import { asId } from '../../../src-shared/model/ids.ts';
import { parseStored } from './codec.ts';
import type { SlideRecord } from './store.ts';
import type { SyncStore } from './sync-store.ts';

export const SLIDE_SQL = {
  put: `INSERT INTO slide (id, path, name, size_bytes, mtime_ms, info_json, user_mpp_um, opened_at_ms, is_demo)
    VALUES (@id, @path, @name, @sizeBytes, @mtimeMs, @infoJson, @userMppUm, @openedAtMs, @isDemo)
    ON CONFLICT (id) DO UPDATE SET path = excluded.path, name = excluded.name, size_bytes = excluded.size_bytes,
      mtime_ms = excluded.mtime_ms, info_json = excluded.info_json, user_mpp_um = excluded.user_mpp_um,
      opened_at_ms = excluded.opened_at_ms, is_demo = excluded.is_demo`,
  get: 'SELECT * FROM slide WHERE id = ?',
  list: 'SELECT * FROM slide ORDER BY opened_at_ms DESC',
  remove: 'DELETE FROM slide WHERE id = ?',
  removeJobs: 'DELETE FROM job WHERE slide_id = ?',
} as const;

interface SlideRow {
  readonly id: string;
  readonly path: string;
  readonly name: string;
  readonly size_bytes: number;
  readonly mtime_ms: number;
  readonly info_json: string;
  readonly user_mpp_um: number | null;
  readonly opened_at_ms: number;
  readonly is_demo: number;
}

function recordOf(row: SlideRow): SlideRecord {
  return {
    id: asId<SlideId>(row.id),
    path: row.path,
    name: row.name,
    sizeBytes: row.size_bytes,
    mtimeMs: row.mtime_ms,
    info: parseStored(row.info_json, 'slide'),
    userMppUm: row.user_mpp_um,
    openedAtMs: row.opened_at_ms,
    isDemo: row.is_demo !== 0,
  };
}

type SlideMethods = Pick<SyncStore, 'putSlide' | 'getSlide' | 'listSlides' | 'forgetSlide'>;

/** The slides of a store. What hangs on a slide goes with it by foreign keys; jobs, which outlive runs, by hand. */
export function slideTable(db: Database): SlideMethods {
  const put = db.prepare(SLIDE_SQL.put);
  const get = db.prepare<[string], SlideRow>(SLIDE_SQL.get);
  const list = db.prepare<[], SlideRow>(SLIDE_SQL.list);
  const remove = db.prepare<[string]>(SLIDE_SQL.remove);
  const removeJobs = db.prepare<[string]>(SLIDE_SQL.removeJobs);
  return {
    putSlide: ({ info, isDemo, ...rest }) => {
      put.run({ ...rest, infoJson: JSON.stringify(info), isDemo: isDemo ? 1 : 0 });
    },
    getSlide: (id) => {
      const row = get.get(id);
      return row === undefined ? null : recordOf(row);
    },
    listSlides: () => list.all().map(recordOf),
    forgetSlide: db.transaction((id: SlideId) => {
      remove.run(id);
      removeJobs.run(id);
    }),
  };
}
