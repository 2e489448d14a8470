import { describe, expect, it } from 'vitest';
import { describeKeys, describeNormalisation, NORMALISATIONS, presetOf } from './card-text.ts';

describe('normalisation of a backbone', () => {
  it('knows its presets, through rounding of the scale', () => {
    for (const preset of NORMALISATIONS) expect(presetOf(preset)?.name).toBe(preset.name);
    expect(presetOf({ scale: 0.003_921_568_6, mean: [0, 0, 0], std: [1, 1, 1] })?.name).toBe('unit');
  });

  it('does not take other numbers for a preset', () => {
    const z = { scale: 1, mean: [178.671, 121.367, 158.072], std: [53.553, 71.948, 56.921] } as const;
    expect(presetOf(z)).toBeNull();
    const input = { ...z, widthPx: 224, heightPx: 224, layout: 'NCHW', channelOrder: 'RGB' } as const;
    expect(describeNormalisation(input)).toContain('178.7');
  });

  it('maps white to the upper end and black to the lower end of a preset’s range', () => {
    const ends = (name: string) => {
      const preset = NORMALISATIONS.find((each) => each.name === name);
      if (!preset) throw new Error(name);
      return [0, 255].map((pixel) => Number(((pixel * preset.scale - preset.mean[0]) / preset.std[0]).toFixed(6)));
    };
    expect(ends('unit')).toEqual([0, 1]);
    expect(ends('signed')).toEqual([-1, 1]);
    expect(ends('bytes')).toEqual([0, 255]);
  });
});

describe('keys of a checkpoint', () => {
  it('counts what is missing, unused and of another shape, and names it', () => {
    const lines = describeKeys({
      architecture: 'resnet18',
      layout: 'torchvision',
      prefix: 'model.',
      matched: 99,
      expected: 102,
      missing: ['layer1.0.bn1.bias', 'layer1.0.bn1.weight'],
      unexpected: [],
      shapeMismatches: [{ name: 'conv1.weight', expected: '64x3x7x7', found: '64x1x7x7' }],
    });
    const shown = Object.fromEntries(lines.map(({ name, value, keys }) => [name, [value, ...keys]]));
    expect(shown).toMatchObject({
      Matched: ['99 of 102'],
      Missing: ['2', 'layer1.0.bn1.bias', 'layer1.0.bn1.weight'],
      'Not used': ['None'],
      'Of another shape': ['1', 'conv1.weight: 64x1x7x7, not 64x3x7x7'],
    });
  });
});
