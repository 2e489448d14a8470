import { describe, expect, it } from 'vitest';
import { parseLabels } from './labels.ts';

describe('lists of slides', () => {
  it("reads CLAM's table with the row numbers pandas adds", () => {
    const table = parseLabels(',case_id,slide_id,label\n0,p1,s1,tumor\n1,p1,s2,normal\n2,p2,s3,\n');
    expect(table).toEqual({
      slideColumn: 'slide_id',
      caseColumn: 'case_id',
      labelColumns: ['label'],
      warnings: [],
      rows: [
        { slide: 's1', caseId: 'p1', mppUm: null, labels: { label: 'tumor' }, folds: {} },
        { slide: 's2', caseId: 'p1', mppUm: null, labels: { label: 'normal' }, folds: {} },
        { slide: 's3', caseId: 'p2', mppUm: null, labels: {}, folds: {} },
      ],
    });
  });

  it("reads TRIDENT's list with pixel sizes", () => {
    const { rows, caseColumn } = parseLabels('wsi,mpp\nsub/a.svs,0.2525\n"b, left.tif",\n');
    expect(caseColumn).toBeNull();
    expect(rows.map(({ slide, mppUm, caseId }) => [slide, mppUm, caseId])).toEqual([
      ['sub/a.svs', 0.2525, null],
      ['b, left.tif', null, null],
    ]);
  });

  it("reads Patho-Bench's tabs and folds, and STAMP's names in capitals", () => {
    const { rows, labelColumns } = parseLabels('case_id\tslide_id\tIDH\tfold_0\tfold_1\nc\ts\twt\ttrain\ttest\n');
    expect(labelColumns).toEqual(['IDH']);
    expect(rows[0]).toMatchObject({ labels: { IDH: 'wt' }, folds: { fold_0: 'train', fold_1: 'test' } });
    expect(parseLabels('PATIENT,FILENAME\np,f.h5\n').rows[0]).toMatchObject({ slide: 'f.h5', caseId: 'p' });
  });

  it('knows patients from slides, also where a slide is called after its patient', () => {
    const table = (...rows: string[]) => parseLabels(`case_id,slide_id\n${rows.join('\n')}\n`).rows;
    const cases = (...rows: string[]) => table(...rows).map(({ caseId }) => caseId);
    expect(cases('P1,P1.svs', 'P1,P1_b.svs', ',z')).toEqual(['P1', 'P1', null]);
    expect(cases('P1,P1_a.svs', 'P2,P2_a.svs')).toEqual(['P1', 'P2']);
    expect(cases('x.svs,x.svs', 'y,in/y.tif', 'v,v', ',z')).toEqual([null, null, null, null]);
  });

  it('reads a decimal comma', () => {
    expect(parseLabels('slide;mpp\na;0,25\n').rows[0]?.mppUm).toBe(0.25);
  });

  it('takes repetitions once, with a warning, and refuses contradictions', () => {
    const table = parseLabels('slide,label\na,x\na,x\n,y\n');
    expect(table.rows).toHaveLength(1);
    expect(table.warnings).toEqual(['Row 3 repeats "a" and was taken once.', 'Row 4 names no slide and was left out.']);
    expect(() => parseLabels('slide,label\na,x\na,y\n')).toThrow(/Row 3 contradicts/);
  });

  it.each(['0', '-1', 'forty', 'Infinity'])('refuses "%s" as pixel size', (mpp) => {
    expect(() => parseLabels(`slide,mpp\na,${mpp}\n`)).toThrow(/Row 2/);
  });

  it('says what a column of slides may be called', () => {
    expect(() => parseLabels('name,label\na,x\n')).toThrow(expect.objectContaining({ code: 'InvalidRequest' }));
    expect(() => parseLabels('')).toThrow(/no column that names the slides/);
  });
});
