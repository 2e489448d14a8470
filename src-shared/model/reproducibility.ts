import type { Continuation, Provenance } from './run.ts';

/** How far the features of a run can be had again: bit by bit, or within a relative difference. */
export type Reproducibility = 'bitwise' | 'within 1e-4' | 'not known';

/** The part of a provenance that decides it. */
type Made = Pick<Provenance, 'device' | 'batchSize' | 'threads'> & { readonly continuedOn?: readonly Continuation[] };

/**
 * Batches are a function of the tile index, so a run made from end to end by one device, processor and version of the
 * runtime can be had again bit by bit on the same; a run that went on elsewhere after an interruption agrees with an
 * uninterrupted one within 1e-4 relative. Imported features were computed by another program: nothing is known.
 */
export function reproducibility(made: Made): Reproducibility {
  if (made.device === 'imported') return 'not known';
  return (made.continuedOn ?? []).length === 0 ? 'bitwise' : 'within 1e-4';
}

/** The same in a sentence for people, in reports and records. */
export function reproducibilityText(made: Made): string {
  const kind = reproducibility(made);
  if (kind === 'not known') return 'Computed by another program; whether it can be repeated is not known.';
  const threads = `${made.threads} ${made.threads === 1 ? 'thread' : 'threads'}`;
  if (kind === 'bitwise') {
    return `Bitwise on the same machine and device with ${threads} and batches of ${made.batchSize}; elsewhere within 1e-4 relative.`;
  }
  const parts = (made.continuedOn ?? []).map((next) => `from tile ${next.fromTile} on ${next.device}`);
  return `Within 1e-4 relative: the run went on ${parts.join(', then ')}.`;
}
