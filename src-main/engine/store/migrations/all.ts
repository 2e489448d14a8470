import { first } from './0001-first.ts';
import { studies } from './0002-studies.ts';
import { comparisons } from './0003-comparisons.ts';
import { studyVectors } from './0004-study-vectors.ts';
import { freeGrids } from './0005-free-grids.ts';
import { headDevices } from './0006-head-devices.ts';
import { judgements } from './0007-judgements.ts';
import { fineTunedFrom } from './0008-fine-tuned-from.ts';
import type { Migration } from './migration.ts';

/** Every migration in order; index i holds version i + 1. */
export const MIGRATIONS: readonly Migration[] = [
  first,
  studies,
  comparisons,
  studyVectors,
  freeGrids,
  headDevices,
  judgements,
  fineTunedFrom,
];
