import { describe, expect, it } from 'vitest';
import { asId, type SlideId } from '../../../src-shared/model/ids.ts';
import { readSplits } from './splits.ts';

const rows = ['A-1', 'A-2', 'B-1', 'C-1', 'D-1'].map((name) => ({
  slideId: asId<SlideId>(`id ${name}`),
  slideName: `${name}.svs`,
  patient: name.slice(0, 1),
}));
const ids = (...names: string[]) => names.map((name) => `id ${name}`);

describe('splits of other tools', () => {
  it('are read from CLAM, a file a fold, in the order of their numbers', () => {
    const fold = (test: string) => `,train,val,test\n0,A-1,C-1,${test}\n1,A-2,,\n`;
    const { splitting, unknown } = readSplits(
      [
        { name: 'splits_10.csv', text: fold('D-1') },
        { name: 'splits_2.csv', text: fold('b-1.SVS') },
      ],
      rows,
    );
    expect(splitting.from).toBe('splits_2.csv and 1 more');
    expect(splitting.splits).toEqual([
      { train: ids('A-1', 'A-2'), validation: ids('C-1'), test: ids('B-1') },
      { train: ids('A-1', 'A-2'), validation: ids('C-1'), test: ids('D-1') },
    ]);
    expect(unknown).toEqual([]);
  });

  it('are read from CLAM’s table of truths', () => {
    const text = ',train,val,test\nA-1,True,False,False\nB-1,False,True,False\nC-1,False,False,True\n';
    const { splitting } = readSplits([{ name: 'splits_0_bool.csv', text }], rows);
    expect(splitting.splits).toEqual([{ train: ids('A-1'), validation: ids('B-1'), test: ids('C-1') }]);
  });

  it('are read from Patho-Bench, a column a fold, slides it does not have named', () => {
    const text = [
      'case_id\tslide_id\tgrade\tfold_0\tfold_1',
      'A\tA-1\t1\ttrain\ttest',
      'A\tA-2\t1\ttrain\ttest',
      'B\tB-1\t0\ttest\ttrain',
      'Z\tZ-9\t0\ttest\ttrain',
      'C\tC-1\t0\t\tval',
    ].join('\n');
    const { splitting, unknown } = readSplits([{ name: 'k=all.tsv', text }], rows);
    expect(splitting.splits).toEqual([
      { train: ids('A-1', 'A-2'), validation: [], test: ids('B-1') },
      { train: ids('B-1'), validation: ids('C-1'), test: ids('A-1', 'A-2') },
    ]);
    expect(unknown).toEqual(['Z-9']);
  });

  it('are matched by patient where a table names cases only', () => {
    const text = 'case_id,grade,fold_0\nA,1,train\nB,0,test\n';
    expect(readSplits([{ name: 'k=1.csv', text }], rows).splitting.splits).toEqual([
      { train: ids('A-1', 'A-2'), validation: [], test: ids('B-1') },
    ]);
  });

  it('say what is wrong with a file', () => {
    const read = (text: string) => () => readSplits([{ name: 'x.csv', text }], rows);
    expect(read('slide_id,label\nA-1,x\n')).toThrow('x.csv is no table of splits');
    expect(read('slide_id,fold_0\nA-1,holdout\n')).toThrow('a part called holdout');
    expect(read(',train,val,test\n0,A-1,,A-1.svs\n')).toThrow('A-1.svs into two parts');
    expect(read(',train,val,test\n0,Q,,R\n')).toThrow('name no slide of this study');
  });
});
