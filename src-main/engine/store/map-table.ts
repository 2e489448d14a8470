import type { Database } from 'better-sqlite3';
import type { MapDescription } from '../../../src-shared/model/map.ts';
import { canonicalJson } from './canonical.ts';
import { float32Of, parseStored, toBlob } from './codec.ts';
import { runNotFound } from './run-table.ts';
import type { StoredMap } from './store.ts';
import type { SyncStore } from './sync-store.ts';

export const MAP_SQL = {
  get: `SELECT description_json, map_values FROM map
    WHERE run_key = (SELECT run_key FROM run WHERE id = ?) AND spec_json = ?`,
  list: `SELECT description_json FROM map WHERE run_key = (SELECT run_key FROM run WHERE id = ?) ORDER BY spec_json`,
  put: `INSERT INTO map (run_key, spec_json, description_json, value_bytes, map_values)
    SELECT run_key, @specJson, @descriptionJson, @valueBytes, @values FROM run WHERE id = @runId
    ON CONFLICT (run_key, spec_json) DO UPDATE SET description_json = excluded.description_json,
      value_bytes = excluded.value_bytes, map_values = excluded.map_values`,
} as const;

interface MapRow {
  readonly description_json: string;
  readonly map_values: Buffer;
}

/** Computed maps, cached under run and specification. */
export function mapTable(db: Database): Pick<SyncStore, 'getMap' | 'listMaps' | 'putMap'> {
  const get = db.prepare<[string, string], MapRow>(MAP_SQL.get);
  const list = db.prepare<[string], Pick<MapRow, 'description_json'>>(MAP_SQL.list);
  const put = db.prepare(MAP_SQL.put);
  return {
    getMap: (runId, spec): StoredMap | null => {
      const row = get.get(runId, canonicalJson(spec));
      if (row === undefined) return null;
      return { description: parseStored(row.description_json, 'map'), values: float32Of(row.map_values) };
    },
    listMaps: (runId) => list.all(runId).map((row) => parseStored<MapDescription>(row.description_json, 'map')),
    putMap: ({ description, values }) => {
      const { runId, spec } = description;
      const { changes } = put.run({
        runId,
        specJson: canonicalJson(spec),
        descriptionJson: JSON.stringify(description),
        valueBytes: values.byteLength,
        values: toBlob(values),
      });
      if (changes === 0) throw runNotFound(runId);
    },
  };
}
