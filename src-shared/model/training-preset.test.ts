import { describe, expect, it } from 'vitest';
import { presetOfPlan, relabellingAssumption, TRAINING_PRESETS } from './training-preset.ts';

describe('what relabelling takes for granted', () => {
  it('is said with the names of the two classes, the second in alphabetical order being positive', () => {
    expect(relabellingAssumption(['plain', 'lesion'], null)).toBe(
      'It takes for granted that slides labelled lesion hold nothing of plain, the positive class.',
    );
    expect(relabellingAssumption(['plain', 'lesion'], 'gone')).toBe(relabellingAssumption(['lesion', 'plain'], ''));
    expect(relabellingAssumption(['plain', 'lesion'], 'lesion')).toBe(
      'It takes for granted that slides labelled plain hold nothing of lesion, the positive class.',
    );
  });

  it('is said in general where there are not two', () => {
    for (const classes of [[], ['a'], ['a', 'b', 'c']]) {
      expect(relabellingAssumption(classes, 'a')).toMatch(/^For two classes, /);
    }
  });
});

describe('the trainings a form offers', () => {
  it('have a name, a title and a sentence each, none twice', () => {
    for (const key of ['name', 'title', 'about'] as const) {
      expect(new Set(TRAINING_PRESETS.map((preset) => preset[key])).size).toBe(TRAINING_PRESETS.length);
    }
    for (const { about } of TRAINING_PRESETS) expect(about).toMatch(/^[A-Z].*\.$/);
  });

  it('solve for weights of the mean only, and relabel only what is solved for', () => {
    for (const preset of TRAINING_PRESETS) {
      const { pooling, steadying } = presetOfPlan(preset);
      if (steadying?.solved) expect(pooling).toBe('mean');
      if (steadying?.relabelled) expect(steadying.solved).toBe(true);
    }
  });
});
