import type { Provenance, Run } from '../../../src-shared/model/run.ts';
import type { LaidGrid } from '../grid/laid-grid.ts';
import { runIdOf } from './canonical.ts';

/** A run without features yet, of the identity its provenance gives it; it is not stored. */
export function newRun(provenance: Provenance, { grid }: LaidGrid): Run {
  return {
    id: runIdOf(provenance),
    slideId: provenance.slideId,
    backboneId: provenance.backboneId,
    backboneName: provenance.backboneName,
    cut: provenance.cut,
    state: 'paused',
    tileCount: grid.tileCount,
    tilesDone: 0,
    createdAtMs: Date.now(),
    finishedAtMs: null,
    secondsSpent: 0,
    provenance,
    jobId: null,
  };
}
