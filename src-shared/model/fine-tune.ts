import type { BackboneId, SlideId, StudyId } from './ids.ts';

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
  /** Name of a cut before the study's: it and everything in front of it stays as it is. Null = everything is trained. */
  readonly frozenUpTo: string | null;
  readonly epochs: number;
  /** Adam's learning rate. */
  readonly rate: number;
  /** Learning rate of the head; null = that of the backbone. */
  readonly headRate: number | null;
}

/** HistoTransfer's stage 2 as its code runs it: 64 tiles, all layers, Adam 1e-5, 20 epochs. */
export const DEFAULT_FINE_TUNING: Omit<FineTuneRequest, 'studyId'> = {
  ...{ fold: 0, seed: null, tiles: 64, tilesPerStep: null, frozenUpTo: null, epochs: 20, rate: 1e-5, headRate: null },
};

/** What a fine-tuning will do and take, before it is started. */
export interface FineTuneForecast {
  readonly trainSlides: number;
  readonly validationSlides: number;
  readonly testSlides: number;
  /** Cuts that the frozen part may end at, input side first. */
  readonly freezable: readonly string[];
  /** Numbers of the backbone that are trained, and those it has up to the study's cut. */
  readonly trainedParameters: number;
  readonly parameters: number;
  /** Tiles that go through the network in an epoch of training. */
  readonly tilesPerEpoch: number;
  /** What that takes in all, from a measurement of the network alone; null while other jobs use the machine. */
  readonly seconds: number | null;
  /** What the network was measured on, CPU, CUDA, ...; the CPU takes over where that fails the test of its training step. */
  readonly device: string;
}

/** How a study's backbone and heads came of another study; kept with the study and on the backbone's card. */
export interface FineTuningRecord extends Omit<FineTuneRequest, 'studyId' | 'seed'> {
  readonly seed: number;
  readonly studyId: StudyId;
  readonly studyName: string;
  /** The backbone it began as. */
  readonly from: BackboneId;
  readonly fromName: string;
  readonly cut: string;
  readonly trainSlides: readonly SlideId[];
  /** The epoch was chosen on these. */
  readonly validationSlides: readonly SlideId[];
  /** Both of the fine-tunings before it, where the backbone it began as had been fine-tuned itself. */
  readonly earlierSlides: readonly SlideId[];
}

/** Why the control by shuffled labels says less of a study whose backbone was fine-tuned. */
export const TUNED_CONTROL =
  'Heads on shuffled labels read features of a backbone that had learned from true ones: only what the head learned is taken away.';
