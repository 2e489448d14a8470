import { describe, expect, it } from 'vitest';
import { AppError } from '../errors.ts';
import type { FeatureSet, ImportedFeatures } from '../model/feature-bag.ts';
import type { FileGrant } from '../model/ids.ts';
import type { SlidePrediction } from '../model/study.ts';
import { encoderToAsk, predictFile } from './predict-features.ts';

const set = (changes: Partial<FeatureSet> = {}): FeatureSet => ({
  ...{ place: '.', encoder: 'uni', named: true, files: [{ name: 'a', tiles: 4, dim: 8 }] },
  ...changes,
});

describe('the encoder of features that heads are asked about', () => {
  it('is the one of the study, or the files are refused', () => {
    expect(encoderToAsk(set(), null, 'uni')).toBe('uni');
    expect(() => encoderToAsk(set({ encoder: 'conch' }), null, 'uni')).toThrow(
      /made by conch, those of the study by uni/,
    );
    expect(() => encoderToAsk(set(), 'conch', 'uni')).toThrow(/made by conch/);
  });

  it('is the user to tell where only a folder is called after it', () => {
    const unnamed = set({ encoder: 'new', named: false });
    expect(() => encoderToAsk(unnamed, null, 'uni')).toThrow(
      /do not say what made them; those of the study were made by uni/,
    );
    expect(encoderToAsk(unnamed, 'uni', 'uni')).toBe('uni');
    expect(encoderToAsk(unnamed, null, null)).toBe('new');
  });
});

describe('one feature file', () => {
  const picked = { folder: 'g' as FileGrant, set: set(), encoder: 'uni' };
  const imported = { runId: 'r', dim: 8 } as unknown as ImportedFeatures;
  const prediction = { seen: 'unseen' } as unknown as SlidePrediction;
  const api = {
    importFeatureBag: async () => imported,
    predictSlide: async () => prediction,
  };
  const study = (featureDim: number) =>
    ({ id: 's', outcome: { featureDim } }) as unknown as Parameters<typeof predictFile>[1];

  it('is answered with the prediction, or with what is wrong with it', async () => {
    expect(await predictFile(api, study(8), picked, 'a')).toEqual({ name: 'a', features: imported, prediction });
    expect(await predictFile(api, study(9), picked, 'a')).toMatchObject({
      error: { message: 'A tile has 8 features here, in the study 9.' },
    });
    const failing = (code: 'FileUnreadable' | 'Cancelled') => ({
      ...api,
      importFeatureBag: () => Promise.reject(new AppError(code, 'no')),
    });
    expect(await predictFile(failing('FileUnreadable'), study(8), picked, 'a')).toMatchObject({
      error: { message: 'no' },
    });
    await expect(predictFile(failing('Cancelled'), study(8), picked, 'a')).rejects.toThrow('no');
  });
});
