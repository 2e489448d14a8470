import type { EngineEvent } from '../api/events.ts';
import type { ErrorPayload } from '../errors.ts';

/**
 * How a call ends. Engine methods never throw through Comlink: its own error transfer keeps name, message and stack
 * only, losing the code and showing the stack to the client.
 */
export type Outcome =
  | { readonly ok: true; readonly value?: unknown }
  | { readonly ok: false; readonly error: ErrorPayload };

/** A message the server sends without being asked. It has no `id`, so Comlink passes over it. */
export interface EventMessage {
  readonly event: EngineEvent;
}

export function isOutcome(value: unknown): value is Outcome {
  return typeof value === 'object' && value !== null && 'ok' in value && typeof value.ok === 'boolean';
}

export function isEventMessage(message: unknown): message is EventMessage {
  return typeof message === 'object' && message !== null && 'event' in message && !('id' in message);
}
