import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Run } from '../../../src-shared/model/run.ts';
import { runIdOf } from './canonical.ts';
import { openStore } from './open-store.ts';
import type { OpenedStore } from './store.ts';
import { storeSample, temporaryFolder } from './testing/samples.ts';

let folder: string;
let store: OpenedStore;

beforeEach(async () => {
  folder = temporaryFolder();
  store = await openStore({ folder });
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

/** Beside the sample's float32 run, the same extraction at half precision. */
async function halfRun(tileCount: number, dim: number): Promise<Run> {
  const full = await storeSample(store, 'a', tileCount, dim);
  const provenance = { ...full.provenance, precision: 'float16' as const };
  const run: Run = { ...full, id: runIdOf(provenance), tilesDone: 0, provenance };
  await store.createRun(run);
  return run;
}

describe('features at half precision', () => {
  it('are another run than those at full precision, take half the room and come back as the nearest halves', async () => {
    const run = await halfRun(10, 3);
    const values = Float32Array.from({ length: 30 }, (_, i) => (i - 15) / 7);
    await store.appendFeatures({ runId: run.id, firstTile: 0, tileCount: 10, dim: 3, values });
    const { f16round } = Math as { f16round?: (value: number) => number };
    const nearest = values.map((value) => f16round?.(value) ?? value);
    expect(await store.readFeatures(run.id)).toEqual(nearest);
    expect(await store.readFeatures(run.id, { firstTile: 4, tileCount: 2 })).toEqual(nearest.slice(12, 18));
    expect((await store.usage())[0]).toMatchObject({ runCount: 2, featureBytes: 60 });
  });

  it('that would become infinite are refused, and the run stays as it was', async () => {
    const run = await halfRun(4, 2);
    const values = Float32Array.of(1, 2, 70_000, 4);
    const chunk = { runId: run.id, firstTile: 0, tileCount: 2, dim: 2, values };
    await expect(store.appendFeatures(chunk)).rejects.toMatchObject({ code: 'InvalidRequest' });
    expect(await store.nextTile(run.id)).toBe(0);
  });
});
