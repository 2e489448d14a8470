import type { SyntheticOptions } from './write-synthetic.ts';

/**
 * What a new user sees first: 3.1 x 2.3 mm of tissue with two lesions. Whole tiles on every level down to the last
 * but one; changing anything here changes the slide's fingerprint, so give the file a new name with it.
 */
export const DEMO_SLIDE: Omit<SyntheticOptions, 'outPath'> = {
  widthPx: 6144,
  heightPx: 4608,
  seed: 7,
  lesions: 2,
  mpp: 0.5,
};

/** File name of the demo slide in the store. */
export const DEMO_FILE_NAME = 'hyaline-demo-1.tif';
