/**
 * A two-way channel of JSON-safe messages. The transports (`port-endpoint.ts`, `socket-endpoint.ts`) make one; client
 * and server know nothing else of what lies underneath.
 */
export interface RpcEndpoint {
  send(message: unknown): void;
  /** Calls the listener with every message until the returned function is called. */
  onMessage(listener: (message: unknown) => void): () => void;
  /** Calls the listener once when the other side is gone, or at once if it is gone already. */
  onClose(listener: (reason: string) => void): () => void;
  close(): void;
}

/** A set of listeners and the once-only closing that every transport shares. */
export class EndpointListeners {
  readonly #message = new Set<(message: unknown) => void>();
  readonly #close = new Set<(reason: string) => void>();
  #closedBecause: string | null = null;

  get closed(): boolean {
    return this.#closedBecause !== null;
  }

  onMessage(listener: (message: unknown) => void): () => void {
    this.#message.add(listener);
    return () => this.#message.delete(listener);
  }

  onClose(listener: (reason: string) => void): () => void {
    if (this.#closedBecause !== null) {
      listener(this.#closedBecause);
      return () => undefined;
    }
    this.#close.add(listener);
    return () => this.#close.delete(listener);
  }

  emitMessage(message: unknown): void {
    if (this.closed) {
      return;
    }
    for (const listener of [...this.#message]) {
      listener(message);
    }
  }

  emitClose(reason: string): void {
    if (this.closed) {
      return;
    }
    this.#closedBecause = reason;
    for (const listener of [...this.#close]) {
      listener(reason);
    }
    this.#message.clear();
    this.#close.clear();
  }
}

/** Joins two endpoints: what arrives at one is sent by the other; when one closes, so does the other. */
export function pipeEndpoints(a: RpcEndpoint, b: RpcEndpoint): void {
  a.onMessage((message) => b.send(message));
  b.onMessage((message) => a.send(message));
  a.onClose(() => b.close());
  b.onClose(() => a.close());
}
