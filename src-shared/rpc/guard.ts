import { AppError, toErrorPayload } from '../errors.ts';
import type { RpcEndpoint } from './endpoint.ts';
import { ARGUMENT_BOUNDS, jsonDefect } from './json-safe.ts';
import type { Outcome } from './protocol.ts';

const MAX_ARGUMENTS = 8;
const MAX_ID_CHARACTERS = 128;

/** A call that passed the guard: rebuilt from checked parts, so that nothing unchecked travels along. */
interface CheckedCall {
  readonly id: string;
  readonly type: 'APPLY';
  readonly path: readonly [string];
  readonly argumentList: readonly { readonly type: 'RAW'; readonly value: unknown }[];
}

/**
 * Lets through calls of the named methods with plain data, and nothing else of Comlink's protocol. Bare Comlink lets a
 * client set properties on any path (prototypes included), construct objects through `constructor` and open further
 * endpoints; here a message must be APPLY with a path of one allowed name and RAW, JSON-safe, bounded arguments.
 * Whatever else carries an id is answered with a `NotAllowed` or `InvalidRequest` outcome and never reaches Comlink;
 * a message without a usable id is dropped.
 */
export function guardEndpoint(endpoint: RpcEndpoint, allowedMethods: readonly string[]): RpcEndpoint {
  const allowed: ReadonlySet<string> = new Set(allowedMethods);
  return {
    send: (message) => endpoint.send(message),
    onClose: (listener) => endpoint.onClose(listener),
    close: () => endpoint.close(),
    onMessage: (listener) =>
      endpoint.onMessage((message) => {
        const id = idOf(message);
        if (id === null) {
          return;
        }
        const checked = checkCall(message as object, id, allowed);
        if (checked instanceof AppError) {
          const outcome: Outcome = { ok: false, error: toErrorPayload(checked) };
          endpoint.send({ id, type: 'RAW', value: outcome });
        } else {
          listener(checked);
        }
      }),
  };
}

/** Own properties only: what a message inherits is not part of it. */
function own(value: object, key: string): unknown {
  return Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
}

function idOf(message: unknown): string | null {
  if (typeof message !== 'object' || message === null) {
    return null;
  }
  const id = own(message, 'id');
  return typeof id === 'string' && id.length > 0 && id.length <= MAX_ID_CHARACTERS ? id : null;
}

function checkCall(message: object, id: string, allowed: ReadonlySet<string>): CheckedCall | AppError {
  if (own(message, 'type') !== 'APPLY') {
    return refuse('only method calls are allowed');
  }
  const path = own(message, 'path');
  if (!Array.isArray(path) || path.length !== 1) {
    return refuse('the path must be one method name');
  }
  const name: unknown = path[0];
  if (typeof name !== 'string' || !allowed.has(name)) {
    return refuse('no such method');
  }
  const argumentList = own(message, 'argumentList');
  if (!Array.isArray(argumentList) || argumentList.length > MAX_ARGUMENTS) {
    return invalid('the arguments are not a short list');
  }
  const values: unknown[] = [];
  for (const wire of argumentList as readonly unknown[]) {
    if (typeof wire !== 'object' || wire === null || own(wire, 'type') !== 'RAW') {
      return refuse('arguments must be plain values');
    }
    values.push(own(wire, 'value') ?? null);
  }
  // All arguments are checked as one value, so that the bounds hold for the message and not for each argument.
  const defect = jsonDefect(values, ARGUMENT_BOUNDS);
  if (defect !== null) {
    return invalid(defect);
  }
  return { id, type: 'APPLY', path: [name], argumentList: values.map((value) => ({ type: 'RAW', value })) };
}

function refuse(detail: string): AppError {
  return new AppError('NotAllowed', 'The request is not allowed.', { detail });
}

function invalid(detail: string): AppError {
  return new AppError('InvalidRequest', 'The request holds data that cannot be used.', { detail });
}
