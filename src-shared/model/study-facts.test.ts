import { describe, expect, it } from 'vitest';
import { asId, type BackboneId, type RunId } from './ids.ts';
import { DEFAULT_GRID, DEFAULT_TISSUE } from './run.ts';
import { DEFAULT_STUDY_TRAINING, NOT_STEADIED, type StudyPlan, type StudyRow } from './study.ts';
import { type FeatureMaker, featureMaker, studyFacts, trainedOnText } from './study-facts.ts';

const PLAN: StudyPlan = {
  ...DEFAULT_STUDY_TRAINING,
  ...{ name: 'MSI', rows: [], patientsUnknown: false, backboneId: asId<BackboneId>('net'), cut: null },
  ...{ grid: DEFAULT_GRID, tissue: DEFAULT_TISSUE },
};
const MAKER = { name: 'resnet18', defaultCut: 'layer4', imported: false };

describe('how a study was made, in words', () => {
  const facts = (plan: Partial<StudyPlan>, maker: FeatureMaker = MAKER) =>
    Object.fromEntries(studyFacts({ plan: { ...PLAN, ...plan }, outcome: null }, maker));

  it('names the cut that is meant where none was chosen, and what made the features', () => {
    expect(facts({}).Backbone).toBe('resnet18, layer4');
    expect(facts({ cut: 'layer3' }).Backbone).toBe('resnet18, layer3');
    expect(featureMaker(PLAN, MAKER, 'uni')).toEqual(MAKER);
    expect(facts({ cut: 'layer3' }, featureMaker(PLAN, null, null)).Backbone).toBe('a removed backbone, layer3');
    const rows = [{ runId: asId<RunId>('r') } as StudyRow];
    expect(facts({ rows }, featureMaker({ rows }, null, 'uni'))).toMatchObject({
      Backbone: 'Imported features, made by uni',
      Tiles: 'As the imported files have them',
    });
  });

  it('tells training in steps from weights that are solved for', () => {
    expect(facts({}).Training).toBe('20 epochs, rate 0.001, best loss on the validation part kept, classes weighed');
    const solved = { ...NOT_STEADIED, standardise: true, tileWeight: 1, solved: true };
    expect(facts({ steadying: { ...solved, relabelled: true } }).Training).toBe(
      'Linear score of tiles, solved for; penalty chosen by the validation part; then tiles relabelled and solved for again, classes weighed',
    );
    expect(facts({ steadying: solved })['Against collapse']).toBe('features of one scale');
    expect(facts({ steadying: { ...solved, solved: false, patience: 6 } })).toMatchObject({
      Training:
        '20 epochs, rate 0.001, best loss on the validation part kept, classes weighed, stopped after 6 epochs without gain',
      'Against collapse': 'features of one scale, 100 % of the loss asks every tile',
    });
  });

  it('leaves out what there is nothing to say of', () => {
    expect(Object.keys(facts({}))).toEqual([
      ...['Backbone', 'Tiles', 'Pooling', 'Splits and seeds', 'Kept whole', 'Training', 'Against collapse'],
    ]);
  });
});

describe('what heads were trained on', () => {
  const slow = { name: 'WebGPU', reason: 'It is slower than the CPU.' };

  it('names each device and each reason against one once', () => {
    expect(trainedOnText([{ device: 'CPU', refused: [] }])).toBe('CPU');
    const both = [
      { device: 'CPU', refused: [slow] },
      { device: 'CUDA', refused: [] },
      { device: 'CPU', refused: [slow] },
    ];
    expect(trainedOnText(both)).toBe(`CPU and CUDA. WebGPU was not used: ${slow.reason}`);
    const other = { name: 'CUDA', reason: 'Its library is not part of this installation.' };
    expect(trainedOnText([{ device: 'CPU', refused: [other, slow] }])).toBe(
      `CPU. CUDA was not used: ${other.reason} WebGPU was not used: ${slow.reason}`,
    );
  });
});
