import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { BackboneCard } from '../../../src-shared/model/backbone.ts';
import { fineTunedFrom } from './contenders.ts';
import { writeLittleNetwork } from './testing.ts';

it('knows what a backbone was fine-tuned from by a field of its card: a name or a hash', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hyaline-contenders-'));
  try {
    const { card } = await writeLittleNetwork(folder, 'net', 'imagenet', 1);
    const long: BackboneCard = { ...card, id: 'a'.repeat(64) as BackboneCard['id'], name: 'net v2' };
    const tuned = (from: string, more: Partial<BackboneCard> = {}): BackboneCard => {
      return { ...card, id: 'b'.repeat(64) as BackboneCard['id'], name: 'net, tuned', fineTunedFrom: from, ...more };
    };
    const others = [card, long];
    expect(fineTunedFrom(tuned('net v2'), others)?.name).toBe('net v2');
    expect(fineTunedFrom(tuned(long.id.slice(0, 12)), others)?.name).toBe('net v2');
    expect(fineTunedFrom(tuned('net', { architecture: 'resnet18' }), others)).toBeNull();
    expect(fineTunedFrom(tuned('ne'), others)).toBeNull();
    const here = { from: long.id } as NonNullable<BackboneCard['tuned']>;
    expect(fineTunedFrom(tuned('net', { tuned: here }), others)?.name).toBe('net v2');
    // Words alone say nothing.
    expect(fineTunedFrom({ ...card, id: long.id, source: 'fine-tuned from net' }, [card])).toBeNull();
    expect(fineTunedFrom(card, others)).toBeNull();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
