import type { StudyId } from './ids.ts';

/** What of a trained study is trained on, end to end. */
export interface FineTuneRequest {
  readonly studyId: StudyId;
  /** Number of the split whose training part is learned from, from 0. */
  readonly fold: number;
  /** Seed of the head to begin with; null = the study's first. */
  readonly seed: number | null;
  /** Most attended tiles of each slide, all where there are fewer. */
  readonly tiles: number;
  /** Of those, tiles drawn anew for each step; null = all. */
  readonly tilesPerStep: number | null;
  readonly epochs: number;
  readonly rate: number;
}

/** HistoTransfer's stage 2 as its code runs it: 64 tiles, Adam 1e-5, 20 epochs. */
export const DEFAULT_FINE_TUNING: Omit<FineTuneRequest, 'studyId'> = {
  ...{ fold: 0, seed: null, tiles: 64, tilesPerStep: null, epochs: 20, rate: 1e-5 },
};
