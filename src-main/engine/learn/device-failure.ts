import { AppError } from '../../../src-shared/errors.ts';
import type { ProviderName } from '../infer/protocol.ts';

/** Runs work on a provider; whatever fails on another one than the CPU is the device's failure, so that the CPU may try. */
export async function onDevice<T>(provider: ProviderName, work: () => Promise<T>): Promise<T> {
  if (provider === 'cpu') return await work();
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw deviceFailed(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/** Throws DeviceFailed for a loss or probability that is no number on another device than the CPU: drivers fail that way. */
export function refuseNoNumber(provider: ProviderName, loss: number): void {
  if (provider !== 'cpu' && !Number.isFinite(loss)) throw deviceFailed('its result is no number');
}

function deviceFailed(detail: string, cause?: unknown): AppError {
  return new AppError('DeviceFailed', 'The device stopped while training.', {
    advice: 'Continue on the CPU.',
    detail,
    ...(cause === undefined ? {} : { cause }),
  });
}
