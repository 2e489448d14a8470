import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../../src-shared/errors.ts';
import { reproducibility, reproducibilityText } from '../../../src-shared/model/reproducibility.ts';
import type { Run } from '../../../src-shared/model/run.ts';
import type { ChosenDevice } from '../infer/device.ts';
import type { ProviderName } from '../infer/protocol.ts';
import { openStore } from '../store/open-store.ts';
import type { OpenedStore } from '../store/store.ts';
import { storeSample, temporaryFolder } from '../store/testing/samples.ts';
import { computeOnDevice, type DeviceParts } from './on-device.ts';

const VERSIONS = { hyaline: '0.1.0', 'onnxruntime-node': '1.30.0' };
const DIM = 2;

let folder: string;
let store: OpenedStore;
let run: Run;

beforeEach(async () => {
  folder = temporaryFolder();
  store = await openStore({ folder });
  run = await storeSample(store, 'a', 6, DIM);
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

/** Devices that are tried one after the other, as those of a machine where each may fail. */
function partsWith(...providers: readonly ProviderName[]): DeviceParts {
  let turn = 0;
  const chosen = (): ChosenDevice => {
    const provider = providers[turn] ?? 'cpu';
    const status = { name: provider, detail: `a ${provider}, 2 threads`, threads: 2, refused: [] };
    return { provider, status, fallbacks: [], candidates: [] };
  };
  return {
    store,
    versions: VERSIONS,
    onRunChanged: () => undefined,
    device: {
      choose: async () => chosen(),
      fallBack: async () => {
        turn += 1;
        return chosen();
      },
    },
  };
}

/** Stores `tileCount` tiles more, then fails where it is not the last. */
const storing =
  (tileCounts: Readonly<Partial<Record<ProviderName, number>>>) =>
  async (provider: ProviderName): Promise<void> => {
    const firstTile = await store.nextTile(run.id);
    const tileCount = tileCounts[provider] ?? 0;
    if (tileCount > 0) {
      const values = new Float32Array(tileCount * DIM);
      await store.appendFeatures({ runId: run.id, firstTile, tileCount, dim: DIM, values });
    }
    if (firstTile + tileCount < run.tileCount) throw new AppError('DeviceFailed', 'The device was lost.');
  };

async function made(): Promise<Run['provenance']> {
  return (await store.getRun(run.id))?.provenance ?? run.provenance;
}

describe('computeOnDevice', () => {
  it('goes from device to device, down to the CPU, from the last stored tile, and writes down each change', async () => {
    await computeOnDevice(partsWith('cuda', 'webgpu'), [run.id], storing({ cuda: 2, webgpu: 3, cpu: 1 }));
    const provenance = await made();
    expect(provenance.device).toBe('cuda');
    expect(provenance.continuedOn?.map(({ fromTile, device }) => [fromTile, device])).toEqual([
      [2, 'webgpu'],
      [5, 'cpu'],
    ]);
    expect(reproducibility(provenance)).toBe('within 1e-4');
    expect(reproducibilityText(provenance)).toContain('from tile 2 on webgpu, then from tile 5 on cpu');
    expect(await store.nextTile(run.id)).toBe(6);
  });

  it('names as the maker the device that made the first tile, where an earlier one failed before it', async () => {
    await computeOnDevice(partsWith('cuda'), [run.id], storing({ cpu: 6 }));
    const provenance = await made();
    expect([provenance.device, provenance.continuedOn]).toEqual(['cpu', undefined]);
    expect(reproducibilityText(provenance)).toMatch(/^Bitwise on the same machine/);
  });

  it('tells a run that went on with another version of the runtime from one that was only interrupted', async () => {
    const first = partsWith('cpu');
    await expect(computeOnDevice(first, [run.id], storing({ cpu: 2 }))).rejects.toMatchObject({ code: 'DeviceFailed' });
    await expect(computeOnDevice(first, [run.id], storing({ cpu: 2 }))).rejects.toMatchObject({ code: 'DeviceFailed' });
    expect(reproducibility(await made())).toBe('bitwise');
    const updated = { ...first, versions: { ...VERSIONS, 'onnxruntime-node': '1.31.0' } };
    await computeOnDevice(updated, [run.id], storing({ cpu: 2 }));
    expect((await made()).continuedOn?.map(({ fromTile, runtime }) => [fromTile, runtime])).toEqual([[4, '1.31.0']]);
  });

  it('does not promise that imported features can be repeated', () => {
    expect(reproducibility({ ...run.provenance, device: 'imported' })).toBe('not known');
  });
});
