import { DEFAULT_TISSUE, type TissueParams } from './run.ts';

/** A starting point for the tissue settings of one kind of stain. */
export interface TissuePreset {
  readonly id: 'he' | 'he-pale' | 'ihc' | 'special';
  readonly label: string;
  /** One sentence: what it is for. */
  readonly explanation: string;
  readonly params: TissueParams;
}

export const TISSUE_PRESETS: readonly TissuePreset[] = [
  {
    id: 'he',
    label: 'H&E',
    explanation: 'Haematoxylin and eosin of usual strength; blue, green and black ink are pen marks.',
    params: DEFAULT_TISSUE,
  },
  {
    id: 'he-pale',
    label: 'H&E, pale or frozen',
    explanation: 'Weak stains and fatty tissue: low fixed thresholds and small pieces kept.',
    params: {
      ...DEFAULT_TISSUE,
      saturationThreshold: 0.06,
      opticalDensityThreshold: 0.08,
      minTissueUm2: 8_000,
      maxHoleUm2: 60_000,
    },
  },
  {
    id: 'ihc',
    label: 'Immunohistochemistry',
    explanation: 'Brown or red chromogen on a pale blue counterstain: blue counts as tissue, not as ink.',
    params: {
      ...DEFAULT_TISSUE,
      saturationThreshold: 0.07,
      opticalDensityThreshold: 0.08,
      penInks: ['green', 'black'],
    },
  },
  {
    id: 'special',
    label: 'Special stains',
    explanation:
      'Trichrome, Alcian blue, Giemsa and the like: blue and green are stains; only black ink is a pen mark.',
    params: { ...DEFAULT_TISSUE, penInks: ['black'] },
  },
];
