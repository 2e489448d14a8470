import { describe, expect, it } from 'vitest';
import { sharedSet } from './contamination.ts';

const card = { name: 'shufflenet', method: 'supervised, LC25000', source: 'zenodo', origin: 'histology' } as const;

describe('training and judging on one set', () => {
  it.each([
    ['lung-lc25000', 'lc25000'],
    ['colorectal-5class', null],
    ['lung', null],
  ])('%s', (task, set) => {
    expect(sharedSet(task, card)).toBe(set);
  });

  it('knows sets by name, and neither architectures nor random twins', () => {
    expect(sharedSet('pcam-10', { ...card, method: 'DINO on TCGA and PCam' })).toBe('pcam');
    expect(sharedSet('resnet18-task', { ...card, name: 'resnet18' })).toBeNull();
    expect(sharedSet('lung-lc25000', { ...card, origin: 'random' })).toBeNull();
  });
});
