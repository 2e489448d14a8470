import { copyFileSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listBackups } from './backup.ts';
import { chunkTable } from './chunk-table.ts';
import { MIGRATIONS } from './migrations/all.ts';
import type { Migration } from './migrations/migration.ts';
import { openDatabase } from './open-database.ts';
import { openStore } from './open-store.ts';
import { openSqliteStore } from './sqlite-store.ts';
import { sampleChunk, sampleSlide, storeSample, temporaryFolder } from './testing/samples.ts';

const NEWEST = MIGRATIONS.length;

function later(version: number, sql: string, readableFrom = 1): Migration {
  return { version, readableFrom, sql };
}

describe('opening a store', () => {
  let folder: string;
  let path: string;

  const openWith = (migrations: readonly Migration[]) =>
    openSqliteStore({ folder, fileName: 'hyaline.db', slowMs: 1e9, onSlow: () => undefined, migrations });

  const change = (edit: (db: Database.Database) => void): void => {
    const db = new Database(path);
    edit(db);
    db.close();
  };

  beforeEach(() => {
    folder = temporaryFolder();
    path = join(folder, 'hyaline.db');
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('turns what older cards say in words of their fine-tuning into a field', () => {
    openWith(MIGRATIONS.slice(0, 7)).close();
    change((db) => {
      const put = db.prepare('INSERT INTO backbone (id, name, file_name, card_json) VALUES (?, ?, ?, ?)');
      const card = (id: string, name: string, source: string, more: object = {}): void => {
        put.run(id.repeat(64), name, 'f', JSON.stringify({ name, source, architecture: 'resnet18', ...more }));
      };
      card('a', 'net', 'imported');
      card('b', 'net v2', 'imported');
      card('c', 'by name', 'Fine-tuned from net v2 (elsewhere)');
      card('d', 'by hash', 'x', { method: `fine tuned from ${'a'.repeat(12)}` });
      card('e', 'friend', 'a friend of net');
      card('f', 'here', 'fine-tuned from net', { tuned: { from: 'a'.repeat(64) } });
      card('0', 'of another kind', 'fine-tuned from net', { architecture: 'vit' });
    });
    openWith(MIGRATIONS).close();
    const said: Record<string, string | null> = {};
    change((db) => {
      const rows = db.prepare("SELECT name, json_extract(card_json, '$.fineTunedFrom') AS origin FROM backbone").all();
      for (const { name, origin } of rows as { name: string; origin: string | null }[]) said[name] = origin;
    });
    const none = { net: null, 'net v2': null, friend: null, here: null, 'of another kind': null };
    expect(said).toEqual({ ...none, 'by name': 'b'.repeat(64), 'by hash': 'a'.repeat(64) });
  });

  it('backs up before each migration, keeps the last three and makes no backup of a new store', () => {
    openWith(MIGRATIONS).close();
    expect(listBackups(folder, 'hyaline.db')).toEqual([]);
    const first = openWith(MIGRATIONS);
    first.store.setSetting('kept', 'yes');
    first.close();
    const steps = [1, 2, 3, 4].map((i) => later(NEWEST + i, `CREATE TABLE extra_${i} (x INTEGER) STRICT`));
    const migrated = openWith([...MIGRATIONS, ...steps]);
    expect(migrated.store.getSetting('kept')).toBe('yes');
    expect(migrated.store.status().schemaVersion).toBe(NEWEST + 4);
    migrated.close();
    const backups = listBackups(folder, 'hyaline.db');
    expect(backups.map((backup) => /\.v(\d+)\./.exec(backup)?.[1])).toEqual(
      ['4', '3', '2'].map((v) => String(NEWEST - 1 + Number(v))),
    );
    copyFileSync(backups[2] ?? '', path);
    const restored = openWith([...MIGRATIONS, ...steps.slice(0, 1)]);
    expect(restored.store.getSetting('kept')).toBe('yes');
    restored.close();
  });

  it('leaves the store at the last whole version when a migration fails', () => {
    openWith(MIGRATIONS).close();
    const half = later(NEWEST + 2, 'CREATE TABLE half (x INTEGER) STRICT; INSERT INTO nowhere VALUES (1)');
    const good = later(NEWEST + 1, 'CREATE TABLE good (x INTEGER) STRICT');
    expect(() => openWith([...MIGRATIONS, good, half])).toThrow(/nowhere/);
    change((db) => {
      expect(db.pragma('user_version', { simple: true })).toBe(NEWEST + 1);
      expect(db.prepare("SELECT name FROM sqlite_schema WHERE name IN ('good', 'half')").pluck().all()).toEqual([
        'good',
      ]);
    });
  });

  it('opens a store of a newer version to read and refuses to write, with the reason', async () => {
    const before = await openStore({ folder });
    const run = await storeSample(before, 'a', 4, 2);
    await before.appendFeatures(sampleChunk(run, 0, 4));
    await before.close();
    openWith([...MIGRATIONS, later(NEWEST + 1, 'ALTER TABLE slide ADD COLUMN stain TEXT')]).close();
    const bytes = readFileSync(path);
    const store = await openStore({ folder });
    expect(await store.status()).toMatchObject({
      readOnly: true,
      readOnlyReason: expect.stringContaining('newer version of Hyaline'),
      schemaVersion: NEWEST + 1,
    });
    expect((await store.readFeatures(run.id)).length).toBe(8);
    for (const write of [
      store.putSlide(sampleSlide('b')),
      store.setSetting('a', 'b'),
      store.removeRun(run.id),
      store.updateRun(run.id, { state: 'done' }),
    ]) {
      await expect(write).rejects.toMatchObject({ code: 'StoreReadOnly', advice: expect.stringContaining('Update') });
    }
    await store.close();
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });

  it('refuses a newer store whose tables this version cannot read', () => {
    const migrations = [...MIGRATIONS, later(NEWEST + 1, 'ALTER TABLE slide RENAME TO specimen', NEWEST + 1)];
    openDatabase({ folder, fileName: 'hyaline.db', migrations }).db.close();
    expect(() => openWith(MIGRATIONS)).toThrow(expect.objectContaining({ code: 'StoreTooNew' }));
  });

  it('says that a damaged store is damaged and where the backups lie', async () => {
    const before = await openStore({ folder });
    const run = await storeSample(before, 'a', 64, 64);
    await before.appendFeatures(sampleChunk(run, 0, 64));
    await before.close();
    const bytes = readFileSync(path);
    bytes.fill(0xa5, 8192 * 2, 8192 * 6);
    writeFileSync(path, bytes);
    await expect(openStore({ folder })).rejects.toMatchObject({
      code: 'StoreDamaged',
      advice: expect.stringContaining(join(folder, 'backups')),
    });
    writeFileSync(path, bytes.subarray(0, 8192 * 3));
    await expect(openStore({ folder })).rejects.toMatchObject({ code: 'StoreDamaged' });
  });

  it('checks everything but the chunks of a large store', async () => {
    const before = await openStore({ folder, onThread: false });
    const run = await storeSample(before, 'a', 640, 64);
    await before.appendFeatures(sampleChunk(run, 0, 640));
    await before.close();
    const whole = readFileSync(path);
    const openLarge = () =>
      openDatabase({ folder, fileName: 'hyaline.db', migrations: MIGRATIONS, wholeCheckBytes: 0 }).db;
    openLarge().close();
    const rootPageOf = (table: string): number => {
      const db = openLarge();
      const page = db.prepare<[string], number>('SELECT rootpage FROM sqlite_schema WHERE name = ?').pluck().get(table);
      db.close();
      return page ?? 0;
    };
    const damagedAt = (page: number): Buffer => Buffer.from(whole).fill(0xa5, 8192 * (page - 1), 8192 * page);
    for (const table of ['slide', 'run', 'map', 'job']) {
      const page = rootPageOf(table);
      expect(page).toBeGreaterThan(1);
      writeFileSync(path, damagedAt(page));
      expect(openLarge, table).toThrow(expect.objectContaining({ code: 'StoreDamaged' }));
      writeFileSync(path, whole);
    }
    writeFileSync(path, damagedAt(rootPageOf('chunk')));
    expect(() => openWith(MIGRATIONS)).toThrow(expect.objectContaining({ code: 'StoreDamaged' }));
    const db = openLarge();
    expect(() => chunkTable(db).readFeatures(run.id)).toThrow(/malformed/);
    db.close();
  });

  it('leaves a database of another program alone', () => {
    change((db) => db.exec('CREATE TABLE photos (id INTEGER)'));
    const bytes = readFileSync(path);
    expect(() => openWith(MIGRATIONS)).toThrow(expect.objectContaining({ code: 'InvalidRequest' }));
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });

  it('finishes a store whose making was cut short', () => {
    change((db) => db.pragma('journal_mode = WAL'));
    const { store, close } = openWith(MIGRATIONS);
    store.setSetting('a', 'b');
    close();
    expect(openWith(MIGRATIONS).store.getSetting('a')).toBe('b');
  });

  it('names the run whose features are damaged and reads the others', async () => {
    const before = await openStore({ folder });
    const bad = await storeSample(before, 'bad', 8, 4);
    const good = await storeSample(before, 'good', 8, 4);
    for (const run of [bad, good]) {
      await before.appendFeatures(sampleChunk(run, 0, 4));
      await before.appendFeatures(sampleChunk(run, 4, 4));
    }
    await before.close();
    const damages: readonly string[] = [
      "UPDATE chunk SET feature_values = CAST(substr(feature_values, 1, 20) || x'00' || substr(feature_values, 22) AS BLOB)",
      'UPDATE chunk SET feature_values = substr(feature_values, 1, 32)',
      'UPDATE chunk SET first_tile = 5',
      'DELETE FROM chunk',
    ];
    const whole = readFileSync(path);
    for (const damage of damages) {
      writeFileSync(path, whole);
      change((db) => {
        db.prepare(`${damage} WHERE first_tile = 4 AND run_key = (SELECT run_key FROM run WHERE id = ?)`).run(bad.id);
      });
      const store = await openStore({ folder });
      await expect(store.readFeatures(bad.id), damage).rejects.toMatchObject({
        code: 'StoreDamaged',
        message: expect.stringMatching(/^The stored features of random at layer4 are damaged \(tiles? [4-9]/),
        detail: expect.stringContaining(bad.id),
      });
      expect((await store.readFeatures(bad.id, { firstTile: 0, tileCount: 4 })).length).toBe(16);
      expect((await store.readFeatures(good.id)).length).toBe(32);
      await store.close();
    }
  });

  it('refuses a folder on a network share before anything is made there', async () => {
    const detectNetwork = async (asked: string) => (asked === folder ? 'nfs4' : null);
    await expect(openStore({ folder, detectNetwork })).rejects.toMatchObject({
      code: 'StoreOnNetwork',
      message: expect.stringContaining('nfs4'),
      advice: expect.stringContaining('--store'),
    });
    expect(existsSync(path)).toBe(false);
    expect(existsSync(`${path}.lock`)).toBe(false);
  });

  it.each([true, false])(
    'loses nothing when the disk is full (thread: %s) and goes on when there is room',
    async (onThread) => {
      const full = await openStore({ folder, onThread, maxPageCount: 80 });
      const run = await storeSample(full, 'a', 10_000, 64);
      const fill = async (): Promise<never> => {
        for (;;) await full.appendFeatures(sampleChunk(run, await full.nextTile(run.id), 64));
      };
      await expect(fill()).rejects.toMatchObject({
        code: 'DiskFull',
        advice: expect.stringContaining('nothing stored'),
      });
      const stored = await full.nextTile(run.id);
      expect(stored).toBeGreaterThan(64 * 10);
      await expect(full.appendFeatures(sampleChunk(run, stored, 64))).rejects.toMatchObject({ code: 'DiskFull' });
      expect((await full.readFeatures(run.id)).length).toBe(stored * 64);
      await full.close();
      expect(statSync(path).size).toBeLessThanOrEqual(80 * 8192);
      const store = await openStore({ folder, onThread });
      expect(await store.nextTile(run.id)).toBe(stored);
      await store.appendFeatures(sampleChunk(run, stored, 64));
      expect(Array.from(await store.readFeatures(run.id))).toEqual(Array.from(sampleChunk(run, 0, stored + 64).values));
      await store.close();
    },
  );
});
