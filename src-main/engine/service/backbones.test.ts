import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BackboneCard } from '../../../src-shared/model/backbone.ts';
import { safetensorsOf } from '../backbone/testing/checkpoint-file.ts';
import { normalisationKey } from '../extract/stain/stain.ts';
import { InferenceWorker } from '../infer/inference-worker.ts';
import { scratchFolder } from '../slide/test-files.ts';
import { openStore } from '../store/open-store.ts';
import type { OpenedStore } from '../store/store.ts';
import { BackboneService } from './backbones.ts';

const scratch = scratchFolder();
let store: OpenedStore;
let worker: InferenceWorker;
let service: BackboneService;
let card: BackboneCard;
beforeAll(async () => {
  const storeFolder = join(scratch.path, 'store');
  store = await openStore({ folder: storeFolder, program: 'test' });
  worker = new InferenceWorker();
  service = new BackboneService(storeFolder, store, worker);
  card = await service.import(scratch.write('s.safetensors', safetensorsOf('squeezenet1_1', '')), {});
});
afterAll(async () => {
  await worker.close();
  await store.close();
  scratch.remove();
});

describe('a card whose input is changed', () => {
  it('keeps its results apart from those made before, until the input is what it was', async () => {
    const key = (of: BackboneCard): string => normalisationKey(null, of);
    expect(key(card)).toBe('none');
    const named = await service.edit(card.id, { name: 'other' });
    expect([named.id, key(named)]).toEqual([card.id, 'none']);

    const resize = { interpolation: 'bicubic', cropFromPx: 256 } as const;
    const cropped = await service.edit(card.id, { input: { resize } });
    expect(cropped.input.resize).toEqual(resize);
    expect(key(cropped)).toMatch(/^none\+input:[0-9a-f]{16}$/);
    const another = await service.edit(card.id, { input: { mean: [0, 0, 0] } });
    expect(another.input.resize).toEqual(resize);
    expect(new Set([card, cropped, another].map(key)).size).toBe(3);

    const { mean } = card.input;
    const back = await service.edit(card.id, {
      input: { mean, resize: { interpolation: 'bilinear', cropFromPx: null } },
    });
    expect(back.input).toEqual(card.input);
    expect(key(back)).toBe('none');
  });

  it('refuses a crop the input does not fit in, and stays as it was', async () => {
    const resize = { interpolation: 'bilinear', cropFromPx: 200 } as const;
    await expect(service.edit(card.id, { input: { resize } })).rejects.toMatchObject({
      code: 'BackboneShapeUnsupported',
      advice: expect.stringContaining('224'),
    });
    expect((await service.get(card.id)).input).toEqual(card.input);
  });
});
