import type koffi from 'koffi';

export type NativeFunction = ReturnType<ReturnType<typeof koffi.load>['func']>;

/** Koffi refuses more than a few hundred calls at once, and each takes a stack; more than there are threads gain nothing. */
const MOST_AT_ONCE = 32;

let running = 0;
const waiting: (() => void)[] = [];

/**
 * Calls a C function on koffi's own threads; further calls wait for their turn. Its arguments must stay as they are
 * until it is done.
 */
export async function callNative<T>(call: NativeFunction, ...args: readonly unknown[]): Promise<T> {
  if (running >= MOST_AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  else running++;
  try {
    return await new Promise<T>((resolve, reject) => {
      call.async(...args, (error: unknown, result: T) => {
        if (error === null || error === undefined) resolve(result);
        else reject(error);
      });
    });
  } finally {
    // A place is handed on, not given back and taken again.
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
  }
}
