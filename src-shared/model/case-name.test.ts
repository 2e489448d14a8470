import { describe, expect, it } from 'vitest';
import { patientInName, patientsInNames } from './case-name.ts';
import type { StudyRow } from './study.ts';

describe('patients in names of slides', () => {
  it('are read off TCGA barcodes, which begin with them', () => {
    expect(patientInName('TCGA-CR-7395-01A-01-TS1.2fa7.svs')).toBe('TCGA-CR-7395');
    expect(patientInName('TCGA-CR-7395.svs')).toBe('TCGA-CR-7395');
    expect(patientInName('TCGA-CR-73951.svs')).toBeNull();
    expect(patientInName('slide-TCGA-CR-7395.svs')).toBeNull();
    expect(patientInName('CMU-1.svs')).toBeNull();
  });

  it('count for a study that knows of none, where every name tells one', () => {
    const rows = (...names: string[]) => names.map((slideName) => ({ slideName }) as StudyRow);
    const tcga = rows('TCGA-CR-7395-01A.svs', 'TCGA-CR-7395-01B.svs', 'TCGA-CR-7396-01A.svs');
    expect(patientsInNames({ patientsUnknown: true, rows: tcga })).toBe(2);
    expect(patientsInNames({ patientsUnknown: false, rows: tcga })).toBe(0);
    expect(patientsInNames({ patientsUnknown: true, rows: [...tcga, ...rows('CMU-1.svs')] })).toBe(0);
  });
});
