import type { Job, QueueMove } from '../../../src-shared/model/job.ts';

/** A job's place among those that wait: the lowest starts first. Jobs of earlier versions stand by their age. */
export function orderOf({ order, createdAtMs }: Pick<Job, 'order' | 'createdAtMs'>): number {
  return order ?? createdAtMs;
}

export function byOrder(a: Pick<Job, 'order' | 'createdAtMs'>, b: Pick<Job, 'order' | 'createdAtMs'>): number {
  return orderOf(a) - orderOf(b);
}

/**
 * The places that change when the job at index `at` of `waiting` (sorted by place) is moved: pairs of index and new
 * place. `up` and `down` change places with the neighbour; at either end nothing happens.
 */
export function placesAfterMove(
  waiting: readonly Job[],
  at: number,
  move: QueueMove,
): readonly { readonly index: number; readonly order: number }[] {
  const placeAt = (index: number): number | null => {
    const job = waiting[index];
    return job === undefined ? null : orderOf(job);
  };
  const [own, first, last] = [placeAt(at), placeAt(0), placeAt(waiting.length - 1)];
  if (own === null || first === null || last === null) return [];
  if (move === 'first') return at === 0 ? [] : [{ index: at, order: first - 1 }];
  if (move === 'last') return at === waiting.length - 1 ? [] : [{ index: at, order: last + 1 }];
  const other = move === 'up' ? at - 1 : at + 1;
  const place = placeAt(other);
  if (place === null) return [];
  return [
    { index: at, order: place },
    { index: other, order: own },
  ];
}
