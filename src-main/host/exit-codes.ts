import { type AppError, hasCode } from '../../src-shared/errors.ts';

/** What the command line answers to the shell; printed by `hyaline --help`. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  partlyFailed: 3,
  storeLocked: 4,
  cancelled: 130,
} as const;

export const EXIT_CODE_HELP = `Exit codes:
  0    done
  1    failed
  2    wrong use: unknown option, missing argument
  3    partly failed: some slides of several could not be analysed
  4    the store is in use by another process
  130  cancelled (Ctrl-C)`;

export function exitCodeOf(error: AppError): number {
  if (hasCode(error, 'StoreLocked')) {
    return EXIT.storeLocked;
  }
  return hasCode(error, 'Cancelled') ? EXIT.cancelled : EXIT.failed;
}
