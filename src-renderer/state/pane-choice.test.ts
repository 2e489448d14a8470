import { describe, expect, it } from 'vitest';
import { asId, type StudyId } from '../../src-shared/model/ids.ts';
import type { Study } from '../../src-shared/model/study.ts';
import { choiceKey, paneChoices, parseChoice } from './pane-choice.ts';

const study = (id: string, name: string): Pick<Study, 'id' | 'plan' | 'outcome'> =>
  ({ id: asId<StudyId>(id), plan: { name }, outcome: { classes: ['normal', 'tumour'] } }) as unknown as Study;

describe('what a pane may show', () => {
  it('offers every fitting study with its attention and each class, beside what needs none', () => {
    const choices = paneChoices([study('s2', 'Newer'), study('s1', 'Older')]);
    expect(choices.map(({ group, label }) => (group ? `${group}: ${label}` : label))).toEqual([
      'More like this',
      'Main directions',
      'Newer: Attention',
      'Newer: Contribution to normal',
      'Newer: Contribution to tumour',
      'Newer: Disagreement of the heads',
      'Older: Attention',
      'Older: Contribution to normal',
      'Older: Contribution to tumour',
      'Older: Disagreement of the heads',
    ]);
    expect(new Set(choices.map(({ value }) => value)).size).toBe(choices.length);
  });

  it('comes back from its key, whatever stands in it', () => {
    for (const { value } of paneChoices([study('s', 'S')])) expect(choiceKey(parseChoice(value))).toBe(value);
    const tumour = paneChoices([study('s', 'S')]).find(({ label }) => label === 'Contribution to tumour');
    expect(parseChoice(tumour?.value ?? '')).toEqual({
      ...{ kind: 'attention', studyId: 's', view: 'contribution', classIndex: 1 },
    });
    expect(parseChoice('nonsense')).toEqual({ kind: 'similarity' });
  });
});
