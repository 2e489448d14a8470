import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { seededRandom } from '../../../src-shared/numeric/random.ts';
import { openStore } from '../store/open-store.ts';
import { temporaryFolder } from '../store/testing/samples.ts';
import { openSmallEngine } from './testing/small-engine.ts';
import { writeStripedSlide } from './testing/striped-slide.ts';

const KILLS = 25;
const STRIDE_UM = '10';
const SCRIPT = fileURLToPath(new URL('testing/extractor.ts', import.meta.url));

let folder: string;
let slidePath: string;

beforeAll(async () => {
  folder = temporaryFolder();
  slidePath = `${folder}/slide.tif`;
  await writeStripedSlide(slidePath, 800);
  // The built-in backbone is made once, for both stores.
  await (await openSmallEngine(`${folder}/whole`)).close();
  await cp(`${folder}/whole`, `${folder}/killed`, { recursive: true });
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the extractor; kills it `killAfterMs` after it has begun to compute (null: lets it end). */
async function extract(store: string, killAfterMs: number | null): Promise<{ lastLine: string; computedMs: number }> {
  const child = spawn(process.execPath, [SCRIPT, store, slidePath, STRIDE_UM], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = once(child, 'close');
  let [lastLine, begunMs] = ['', 0];
  createInterface({ input: child.stdout }).on('line', (line) => {
    lastLine = line;
    if (line !== 'computing') return;
    begunMs = performance.now();
    if (killAfterMs !== null) void sleep(killAfterMs).then(() => child.kill('SIGKILL'));
  });
  await closed;
  return { lastLine, computedMs: performance.now() - begunMs };
}

async function featuresOf(store: string): Promise<ReadonlyMap<string, Buffer>> {
  const opened = await openStore({ folder: store });
  const found = new Map<string, Buffer>();
  for (const run of await opened.listRuns(null)) {
    expect(run.state).toBe('done');
    expect(run.tilesDone).toBe(run.tileCount);
    found.set(run.id, Buffer.from((await opened.readFeatures(run.id)).buffer));
  }
  await opened.close();
  return found;
}

async function forget(store: string): Promise<void> {
  const opened = await openStore({ folder: store });
  for (const run of await opened.listRuns(null)) await opened.removeRun(run.id);
  await opened.close();
}

it(`killed at ${KILLS} random moments, an extraction gives the features of an uninterrupted one, bit by bit`, async () => {
  const { lastLine, computedMs } = await extract(`${folder}/whole`, null);
  expect(lastLine).toBe('done');
  const whole = await featuresOf(`${folder}/whole`);
  expect(whole.size).toBe(2);
  const random = seededRandom(25);
  for (let kills = 0; kills < KILLS; kills += 1) {
    // Most kills fall well inside the work; some late ones hit its last chunk, the ends of the runs and the closing.
    const share = kills % 8 === 7 ? 1 : 0.1;
    const { lastLine: ended } = await extract(`${folder}/killed`, random() * share * computedMs);
    if (ended !== 'done' && ended !== 'nothing left') continue;
    // It was through before it could be killed this time: checked, then begun anew.
    expect(await featuresOf(`${folder}/killed`)).toEqual(whole);
    if (ended === 'nothing left') kills -= 1;
    await forget(`${folder}/killed`);
  }
  await extract(`${folder}/killed`, null);
  expect(await featuresOf(`${folder}/killed`)).toEqual(whole);
}, 300_000);
