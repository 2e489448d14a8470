import { AppError } from '../../../src-shared/errors.ts';
import { listed } from '../study/splits.ts';

/** A slide that a piece of work cannot go on with. */
export interface RefusedSlide {
  readonly name: string;
  readonly reason: string;
}

/** One error for all of them: the slides with their reason, those of one reason together. */
export function slidesRefused(begin: string, refused: readonly RefusedSlide[], advice: string): AppError {
  const byReason = new Map<string, string[]>();
  for (const { name, reason } of refused) byReason.set(reason, [...(byReason.get(reason) ?? []), name]);
  const groups = [...byReason].map(([reason, names]) => `${listed(names)} (${reason.replace(/\.$/, '')})`);
  return new AppError('InvalidRequest', `${begin}: ${groups.join('; ')}.`, {
    advice,
    detail: refused.map(({ name, reason }) => `${name}: ${reason}`).join('\n'),
  });
}
