import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const CONFIG = join(ROOT, '.dependency-cruiser.cjs');
const FOLDERS = ['src-shared', 'src-main', 'src-renderer'];

interface Rule {
  readonly name: string;
}

interface Cruise {
  readonly summary: {
    readonly violations: readonly { readonly from: string; readonly rule: Rule }[];
    readonly totalCruised: number;
  };
}

const { forbidden } = createRequire(import.meta.url)(CONFIG) as { forbidden: readonly Rule[] };
const run = promisify(execFile);

/** A tree with the folders of the house: each file breaks the rules named, and no others. */
const FIXTURES: readonly { file: string; source: string; breaks: readonly string[] }[] = [
  // What is allowed, so that a rule which forbids everything fails too.
  { file: 'src-shared/model.ts', source: 'export const model = 1;', breaks: [] },
  { file: 'src-shared/model.test.ts', source: "import 'node:fs';\nimport './model.ts';", breaks: [] },
  { file: 'src-main/engine/engine.ts', source: "import '../../src-shared/model.ts';\nexport const e = 1;", breaks: [] },
  { file: 'src-main/host/web.ts', source: "import '../engine/engine.ts';\nexport const w = 1;", breaks: [] },
  { file: 'src-main/shell/main.ts', source: "import 'electron';\nimport '../../src-shared/model.ts';", breaks: [] },
  { file: 'src-main/preload/preload.ts', source: "import 'electron';\nexport const p = 1;", breaks: [] },
  { file: 'src-main/engine/infer/session.ts', source: "import 'onnxruntime-node';", breaks: [] },
  { file: 'src-main/engine/learn/train.ts', source: "import 'onnxruntime-node';", breaks: [] },
  { file: 'src-main/engine/store/database.ts', source: "import 'better-sqlite3';", breaks: [] },
  { file: 'src-renderer/app.ts', source: "import '../src-shared/model.ts';\nexport const a = 1;", breaks: [] },
  {
    file: 'src-main/host/types.ts',
    source: "import type { App } from 'electron';\nexport type A = App;",
    breaks: [],
  },
  // What is not.
  { file: 'src-shared/a.ts', source: "import './b.ts';\nexport const a = 1;", breaks: ['no-circular'] },
  // A circle is reported once, at the file that comes first.
  { file: 'src-shared/b.ts', source: "import './a.ts';\nexport const b = 1;", breaks: [] },
  {
    file: 'src-shared/reaches-out.ts',
    source: "import '../src-main/engine/engine.ts';",
    breaks: ['shared-imports-nothing-local'],
  },
  { file: 'src-shared/reads-files.ts', source: "import 'node:fs';", breaks: ['shared-is-pure'] },
  { file: 'src-main/engine/knows-host.ts', source: "import '../host/web.ts';", breaks: ['engine-imports-shared'] },
  {
    file: 'src-main/engine/knows-type-of-host.ts',
    source: "import type { w } from '../host/web.ts';\nexport type W = typeof w;",
    breaks: ['engine-imports-shared'],
  },
  { file: 'src-main/host/knows-shell.ts', source: "import '../shell/main.ts';", breaks: ['host-imports-engine'] },
  { file: 'src-main/shell/knows-engine.ts', source: "import '../engine/engine.ts';", breaks: ['shell-imports-shared'] },
  { file: 'src-main/preload/knows-shell.ts', source: "import '../shell/main.ts';", breaks: ['preload-imports-shared'] },
  {
    file: 'src-renderer/knows-engine.ts',
    source: "import '../src-main/engine/engine.ts';",
    breaks: ['renderer-imports-shared'],
  },
  {
    file: 'src-renderer/View.svelte',
    source: "<script lang='ts'>\nimport { e } from '../src-main/engine/engine.ts';\n</script>\n{e}",
    breaks: ['renderer-imports-shared'],
  },
  { file: 'src-main/engine/uses-electron.ts', source: "import 'electron';", breaks: ['electron-in-shell-only'] },
  { file: 'src-renderer/uses-electron.ts', source: "import 'electron';", breaks: ['electron-in-shell-only'] },
  {
    file: 'src-main/engine/map/runs-model.ts',
    source: "import 'onnxruntime-node';",
    breaks: ['onnxruntime-in-infer-only'],
  },
  { file: 'src-main/host/runs-model.ts', source: "import 'onnxruntime-node';", breaks: ['onnxruntime-in-infer-only'] },
  { file: 'src-main/engine/map/queries.ts', source: "import 'better-sqlite3';", breaks: ['sqlite-in-store-only'] },
];

let folder: string;

async function cruise(where: string): Promise<Cruise> {
  const cli = join(ROOT, 'node_modules', 'dependency-cruiser', 'bin', 'dependency-cruiser.mjs');
  const args = ['--config', CONFIG, '--output-type', 'json', ...FOLDERS];
  const { stdout } = await run(process.execPath, [cli, ...args], {
    cwd: where,
    maxBuffer: 1 << 28,
  }).catch((error: { stdout: string }) => error);
  return JSON.parse(stdout) as Cruise;
}

async function place(file: string, source: string): Promise<void> {
  await mkdir(dirname(join(folder, file)), { recursive: true });
  await writeFile(join(folder, file), `${source}\n`);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hyaline-rules-'));
  await place('tsconfig.json', '{ "compilerOptions": { "module": "preserve", "allowImportingTsExtensions": true } }');
  for (const name of ['electron', 'onnxruntime-node', 'better-sqlite3']) {
    await place(`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', main: 'index.js' }));
    await place(`node_modules/${name}/index.js`, 'module.exports = {};');
  }
  const dependencies = { electron: '1.0.0', 'onnxruntime-node': '1.0.0', 'better-sqlite3': '1.0.0' };
  await place('package.json', JSON.stringify({ name: 'fixture', dependencies }));
  for (const { file, source } of FIXTURES) {
    await place(file, source);
  }
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the dependency rule', () => {
  it('has a fixture for each of its rules', () => {
    const covered = new Set(FIXTURES.flatMap(({ breaks }) => breaks));
    expect([...covered].sort()).toEqual(forbidden.map(({ name }) => name).sort());
  });

  it('catches what breaks a rule, and nothing else', async () => {
    const { summary } = await cruise(folder);
    const caught = new Map<string, Set<string>>(FIXTURES.map(({ file }) => [file, new Set<string>()]));
    for (const { from, rule } of summary.violations) {
      caught.get(from)?.add(rule.name);
    }
    const found = Object.fromEntries([...caught].map(([file, rules]) => [file, [...rules].sort()]));
    expect(found).toEqual(Object.fromEntries(FIXTURES.map(({ file, breaks }) => [file, breaks])));
  });

  it('holds in the house itself', async () => {
    const { summary } = await cruise(ROOT);
    expect(summary.violations.map(({ from, rule }) => `${from}: ${rule.name}`)).toEqual([]);
    expect(summary.totalCruised).toBeGreaterThan(100);
  });
});
