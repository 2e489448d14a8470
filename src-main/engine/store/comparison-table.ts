import type { Database } from 'better-sqlite3';
import type { Comparison } from '../../../src-shared/model/comparison.ts';
import type { ComparisonCell, ComparisonEntry } from '../../../src-shared/model/comparison-record.ts';
import { parseStored } from './codec.ts';
import type { ComparedTask, ComparisonInput } from './store.ts';
import type { SyncStore } from './sync-store.ts';

export const COMPARISON_SQL = {
  put: `INSERT INTO comparison (id, created_at_ms, entry_json, paths_json) VALUES (?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET entry_json = excluded.entry_json, paths_json = excluded.paths_json`,
  get: 'SELECT entry_json, paths_json FROM comparison WHERE id = ?',
  list: 'SELECT entry_json FROM comparison ORDER BY created_at_ms DESC',
  remove: 'DELETE FROM comparison WHERE id = ?',
  putResult: 'UPDATE comparison SET entry_json = ?, result_json = ? WHERE id = ?',
  getResult: 'SELECT result_json FROM comparison WHERE id = ?',
  dropTasks: 'DELETE FROM comparison_task WHERE comparison_id = ?',
  putTask: 'INSERT INTO comparison_task (comparison_id, task, images_json) VALUES (?, ?, ?)',
  listTasks: 'SELECT task, images_json FROM comparison_task WHERE comparison_id = ? ORDER BY task',
  dropCells: 'DELETE FROM comparison_cell WHERE comparison_id = ?',
  putCell: 'INSERT INTO comparison_cell (comparison_id, task, backbone, cut, cell_json) VALUES (?, ?, ?, ?, ?)',
  getCell: 'SELECT cell_json FROM comparison_cell WHERE comparison_id = ? AND task = ? AND backbone = ? AND cut = ?',
} as const;

type ComparisonMethods = Pick<
  SyncStore,
  | 'putComparison'
  | 'getComparison'
  | 'listComparisons'
  | 'removeComparison'
  | 'finishComparison'
  | 'getComparisonResult'
  | 'listComparedTasks'
  | 'getComparisonCell'
>;

/** Comparisons, the images of their tasks and what stands behind their scores. */
export function comparisonTable(db: Database): ComparisonMethods {
  const put = db.prepare<[string, number, string, string]>(COMPARISON_SQL.put);
  const get = db.prepare<[string], { entry_json: string; paths_json: string }>(COMPARISON_SQL.get);
  const list = db.prepare<[], { entry_json: string }>(COMPARISON_SQL.list);
  const remove = db.prepare<[string]>(COMPARISON_SQL.remove);
  const putResult = db.prepare<[string, string, string]>(COMPARISON_SQL.putResult);
  const getResult = db.prepare<[string], { result_json: string | null }>(COMPARISON_SQL.getResult);
  const dropTasks = db.prepare<[string]>(COMPARISON_SQL.dropTasks);
  const putTask = db.prepare<[string, string, string]>(COMPARISON_SQL.putTask);
  const listTasks = db.prepare<[string], { task: string; images_json: string }>(COMPARISON_SQL.listTasks);
  const dropCells = db.prepare<[string]>(COMPARISON_SQL.dropCells);
  const putCell = db.prepare<[string, string, string, string, string]>(COMPARISON_SQL.putCell);
  const getCell = db.prepare<[string, string, string, string], { cell_json: string }>(COMPARISON_SQL.getCell);
  const finish = db.transaction<SyncStore['finishComparison']>((entry, result, tasks, cells) => {
    const { changes } = putResult.run(JSON.stringify(entry), JSON.stringify(result), entry.id);
    if (changes === 0) return;
    dropTasks.run(entry.id);
    dropCells.run(entry.id);
    for (const { task, images } of tasks) putTask.run(entry.id, task, JSON.stringify(images));
    for (const cell of cells) putCell.run(entry.id, cell.task, cell.backbone, cell.cut, JSON.stringify(cell));
  });
  return {
    putComparison: ({ entry, paths }) => {
      put.run(entry.id, entry.createdAtMs, JSON.stringify(entry), JSON.stringify(paths));
    },
    getComparison: (id) => {
      const row = get.get(id);
      if (row === undefined) return null;
      const input: ComparisonInput = {
        entry: parseStored<ComparisonEntry>(row.entry_json, 'comparison'),
        paths: parseStored<readonly string[]>(row.paths_json, 'comparison'),
      };
      return input;
    },
    listComparisons: () => list.all().map((row) => parseStored<ComparisonEntry>(row.entry_json, 'comparison')),
    removeComparison: (id) => {
      remove.run(id);
    },
    finishComparison: (entry, result, tasks, cells) => finish(entry, result, tasks, cells),
    getComparisonResult: (id) => {
      const json = getResult.get(id)?.result_json ?? null;
      return json === null ? null : parseStored<Comparison>(json, 'comparison');
    },
    listComparedTasks: (id) =>
      listTasks.all(id).map(({ task, images_json }) => ({
        task,
        images: parseStored<ComparedTask['images']>(images_json, 'comparison'),
      })),
    getComparisonCell: (id, task, backbone, cut) => {
      const row = getCell.get(id, task, backbone, cut);
      return row === undefined ? null : parseStored<ComparisonCell>(row.cell_json, 'comparison');
    },
  };
}
