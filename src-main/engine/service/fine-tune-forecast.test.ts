import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AppError } from '../../../src-shared/errors.ts';
import { DEFAULT_FINE_TUNING } from '../../../src-shared/model/fine-tune.ts';
import { asId, type SlideId, type StudyId } from '../../../src-shared/model/ids.ts';
import { writeLittleNetwork } from '../compare/testing.ts';
import type { InferenceWorker } from '../infer/inference-worker.ts';
import type { ProviderName } from '../infer/protocol.ts';
import { forecastOf } from './fine-tune-forecast.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hyaline-forecast-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A worker on which one device opens no session, and what it was asked to open. */
function workerWithout(broken: ProviderName) {
  const asked: ProviderName[] = [];
  const load = async ({ provider }: { readonly provider: ProviderName }) => {
    asked.push(provider);
    if (provider === broken) throw new AppError('DeviceFailed', 'The device could not be used.');
    return { session: 1 };
  };
  return { asked, worker: { load, run: async () => 0, release: async () => {} } as unknown as InferenceWorker };
}

it('is measured on the device that training would try first, else on the CPU, and names which', async () => {
  const { card, cuts, modelPath } = await writeLittleNetwork(folder, 'little', 'histology', 1);
  const [early, late] = cuts;
  if (early === undefined || late === undefined) throw new Error('the network has no cuts');
  const split = { train: [asId<SlideId>('a'), asId<SlideId>('b')], validation: [asId<SlideId>('c')], test: [] };
  const forecast = async (provider: ProviderName, broken: ProviderName) => {
    const { worker, asked } = workerWithout(broken);
    const { device, seconds } = await forecastOf({
      request: { ...DEFAULT_FINE_TUNING, studyId: asId<StudyId>('study') },
      ...{ split, backbone: { card, cut: late, modelPath }, tilesOf: async () => 5, worker, threads: 1 },
      ...{ provider, busy: false },
    });
    expect(seconds).not.toBeNull();
    return [device, asked];
  };
  expect(await forecast('cpu', 'cuda')).toEqual(['CPU', ['cpu']]);
  expect(await forecast('cuda', 'webgpu')).toEqual(['CUDA', ['cuda']]);
  expect(await forecast('cuda', 'cuda')).toEqual(['CPU', ['cuda', 'cpu']]);
});
