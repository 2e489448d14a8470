import type { ErrorPayload } from '../../../src-shared/errors.ts';
import type { SlowCall } from './sqlite-store.ts';
import type { StoreMethod } from './sync-store.ts';

/** What the store's thread is started with. */
export interface StoreWorkerData {
  readonly folder: string;
  readonly fileName: string;
  readonly slowMs: number;
  readonly maxPageCount: number | null;
}

export type StoreRequest =
  | { readonly kind: 'call'; readonly id: number; readonly method: StoreMethod; readonly args: readonly unknown[] }
  | { readonly kind: 'close'; readonly id: number };

export type StoreReply =
  | { readonly kind: 'opened' }
  | { readonly kind: 'refused'; readonly error: ErrorPayload }
  | { readonly kind: 'value'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'error'; readonly id: number; readonly error: ErrorPayload }
  | { readonly kind: 'slow'; readonly call: SlowCall };
