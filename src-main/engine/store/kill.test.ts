import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore } from './open-store.ts';
import { startChild } from './testing/child.ts';
import { sampleChunk, storeSample, temporaryFolder } from './testing/samples.ts';

const KILLS = 12;
const TILES_PER_CHUNK = 4;

/** A fixed linear congruential sequence: the moments differ, and are the same on every run of the test. */
function delayMs(kill: number): number {
  return ((kill * 1103515245 + 12345) >>> 8) % 90;
}

describe('a process killed while it stores features', () => {
  let folder: string;

  beforeEach(() => {
    folder = temporaryFolder();
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it(`loses at most the batch in flight, ${KILLS} times in a row, and the store opens clean`, async () => {
    const before = await openStore({ folder });
    const run = await storeSample(before, 'a', 1_000_000, 32);
    await before.close();
    let reached = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const child = startChild('appender.ts', [folder, run.id, String(TILES_PER_CHUNK)]);
      await child.line();
      await sleep(delayMs(kill));
      child.process.kill('SIGKILL');
      await child.ended();
      const reported = Number(child.lines.at(-1));
      const store = await openStore({ folder });
      const stored = await store.nextTile(run.id);
      expect(stored).toBeGreaterThanOrEqual(reported);
      expect(stored).toBeLessThanOrEqual(reported + TILES_PER_CHUNK);
      expect(reported).toBeGreaterThan(reached);
      expect(await store.getRun(run.id)).toMatchObject({ tilesDone: stored, state: 'paused' });
      expect((await store.readFeatures(run.id)).length).toBe(stored * 32);
      await store.updateRun(run.id, { state: 'running' });
      await store.close();
      reached = stored;
    }
    const after = await openStore({ folder });
    const features = await after.readFeatures(run.id);
    expect(Buffer.from(features.buffer).equals(Buffer.from(sampleChunk(run, 0, reached).values.buffer))).toBe(true);
    await after.close();
  }, 240_000);
});
