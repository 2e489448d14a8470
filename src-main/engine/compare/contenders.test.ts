import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { BackboneCard } from '../../../src-shared/model/backbone.ts';
import { fineTunedFrom } from './contenders.ts';
import { writeLittleNetwork } from './testing.ts';

it('knows what a backbone was fine-tuned from by its card, by name or by hash', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hyaline-contenders-'));
  try {
    const { card } = await writeLittleNetwork(folder, 'net', 'imagenet', 1);
    const long: BackboneCard = { ...card, id: 'a'.repeat(64) as BackboneCard['id'], name: 'net v2' };
    const tuned = (source: string, more: Partial<BackboneCard> = {}): BackboneCard => {
      return { ...card, id: 'b'.repeat(64) as BackboneCard['id'], name: 'net, tuned', source, ...more };
    };
    const others = [card, long];
    expect(fineTunedFrom(tuned('fine-tuned from net v2'), others)?.name).toBe('net v2');
    expect(fineTunedFrom(tuned(`fine-tuned from another name (${card.id.slice(0, 12)})`), others)?.name).toBe('net');
    expect(fineTunedFrom(tuned('fine-tuned from net', { architecture: 'resnet18' }), others)).toBeNull();
    expect(fineTunedFrom(tuned('a friend of net'), others)).toBeNull();
    expect(fineTunedFrom(card, others)).toBeNull();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
