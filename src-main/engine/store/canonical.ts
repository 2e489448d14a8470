import { createHash } from 'node:crypto';
import type { RunId } from '../../../src-shared/model/ids.ts';
import { asId } from '../../../src-shared/model/ids.ts';
import type { RunIdentity } from './store.ts';

/** JSON with the keys of every object sorted: equal content gives equal text. Members that are undefined are left out. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) => {
    if (typeof member !== 'object' || member === null || Array.isArray(member)) return member;
    return Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  });
}

/**
 * The id of the run with this identity: SHA-256 of its canonical JSON. The same extraction has the same id on every
 * machine, so that stores can be merged.
 */
export function runIdOf(identity: RunIdentity): RunId {
  const { slideId, gridId, backboneId, cut, normalisation, precision } = identity;
  const text = canonicalJson({ slideId, gridId, backboneId, cut, normalisation, precision });
  return asId<RunId>(createHash('sha256').update(text).digest('hex'));
}
