import type { Database } from 'better-sqlite3';
import { parseStored } from './codec.ts';
import type { BackboneRecord } from './store.ts';
import type { SyncStore } from './sync-store.ts';

export const BACKBONE_SQL = {
  put: `INSERT INTO backbone (id, name, file_name, card_json) VALUES (?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, file_name = excluded.file_name, card_json = excluded.card_json`,
  get: 'SELECT file_name, card_json FROM backbone WHERE id = ?',
  list: 'SELECT file_name, card_json FROM backbone ORDER BY name',
  remove: 'DELETE FROM backbone WHERE id = ?',
} as const;

interface BackboneRow {
  readonly file_name: string;
  readonly card_json: string;
}

function recordOf(row: BackboneRow): BackboneRecord {
  return { card: parseStored(row.card_json, 'backbone'), fileName: row.file_name };
}

type BackboneMethods = Pick<SyncStore, 'putBackbone' | 'getBackbone' | 'listBackbones' | 'removeBackbone'>;

/** The registered backbones. */
export function backboneTable(db: Database): BackboneMethods {
  const put = db.prepare<[string, string, string, string]>(BACKBONE_SQL.put);
  const get = db.prepare<[string], BackboneRow>(BACKBONE_SQL.get);
  const list = db.prepare<[], BackboneRow>(BACKBONE_SQL.list);
  const remove = db.prepare<[string]>(BACKBONE_SQL.remove);
  return {
    putBackbone: ({ card, fileName }) => {
      put.run(card.id, card.name, fileName, JSON.stringify(card));
    },
    getBackbone: (id) => {
      const row = get.get(id);
      return row === undefined ? null : recordOf(row);
    },
    listBackbones: () => list.all().map(recordOf),
    removeBackbone: (id) => {
      remove.run(id);
    },
  };
}
