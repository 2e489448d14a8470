import { AppError, type ErrorPayload, fromErrorPayload, hasCode, toErrorPayload } from '../../src-shared/errors.ts';

export interface Toast {
  readonly id: number;
  readonly tone: 'error' | 'info' | 'ok';
  readonly message: string;
  readonly advice: string;
  readonly detail: string;
  readonly action: { readonly label: string; readonly run: () => void } | null;
}

const QUIET_MS = 6000;

/** Messages that lie over the frame: errors stay until they are closed, the rest leave by themselves. */
class Toasts {
  list = $state.raw<readonly Toast[]>([]);
  #next = 1;

  /** Shows any thrown value. The user's own cancelling is not an error. */
  error(error: unknown, action: Toast['action'] = null): void {
    if (hasCode(error, 'Cancelled')) return;
    const { message, advice, detail } = toErrorPayload(error);
    if (this.list.some((toast) => toast.message === message && toast.advice === advice)) return;
    this.#add({ tone: 'error', message, advice, detail, action });
  }

  payload(payload: ErrorPayload): void {
    this.error(fromErrorPayload(payload));
  }

  info(message: string, advice = ''): void {
    this.#leaveSoon(this.#add({ tone: 'info', message, advice, detail: '', action: null }));
  }

  ok(message: string, action: Toast['action'] = null): void {
    this.#leaveSoon(this.#add({ tone: 'ok', message, advice: '', detail: '', action }));
  }

  close(id: number): void {
    this.list = this.list.filter((toast) => toast.id !== id);
  }

  #add(toast: Omit<Toast, 'id'>): number {
    const id = this.#next++;
    this.list = [...this.list.slice(-3), { id, ...toast }];
    return id;
  }

  #leaveSoon(id: number): void {
    setTimeout(() => this.close(id), QUIET_MS);
  }
}

export const toasts = new Toasts();

/** Runs work for a button: what fails is shown, and the answer is undefined. */
export async function shown<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    toasts.error(error);
    return undefined;
  }
}

/** Any thrown value as an AppError, for states that show the error in place. */
export function asAppError(error: unknown): AppError {
  return error instanceof AppError ? error : fromErrorPayload(toErrorPayload(error));
}
