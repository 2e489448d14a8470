import { EventEmitter } from 'node:events';
import type { ElectronParts, ShellPort } from '../electron.ts';

/**
 * Electron's MessagePortMain: messages queue until `start`, are cloned, and may carry ports but nothing else. A port
 * that has been transferred can no longer be used by its sender.
 */
export class PortDouble extends EventEmitter {
  #peer: PortDouble | null = null;
  #queue: { readonly data: unknown; readonly ports: readonly PortDouble[] }[] = [];
  #started = false;
  #closed = false;
  #transferred = false;

  static pair(): readonly [PortDouble, PortDouble] {
    const a = new PortDouble();
    const b = new PortDouble();
    a.#peer = b;
    b.#peer = a;
    return [a, b];
  }

  postMessage(message: unknown, transfer: readonly unknown[] = []): void {
    this.#assertOwned();
    for (const port of transfer) {
      if (!(port instanceof PortDouble)) throw new TypeError('Invalid value for transfer');
      port.#transferred = true;
    }
    const peer = this.#peer;
    if (this.#closed || peer === null || peer.#closed) return;
    const data = structuredClone(message);
    setImmediate(() => peer.#receive({ data, ports: (transfer as PortDouble[]).map((port) => port.received()) }));
  }

  start(): void {
    this.#assertOwned();
    this.#started = true;
    const queue = this.#queue;
    this.#queue = [];
    for (const message of queue) this.emit('message', message);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    setImmediate(() => {
      this.emit('close');
      this.#peer?.close();
    });
  }

  /** The same port as its receiver holds it. */
  received(): PortDouble {
    this.#transferred = false;
    return this;
  }

  get isTransferred(): boolean {
    return this.#transferred;
  }

  #assertOwned(): void {
    if (this.#transferred) throw new Error('This port has been transferred.');
  }

  #receive(message: { readonly data: unknown; readonly ports: readonly PortDouble[] }): void {
    if (this.#closed) return;
    if (this.#started) this.emit('message', message);
    else this.#queue.push(message);
  }
}

/** Electron's MessageChannelMain. */
export const MessageChannelDouble: ElectronParts['MessageChannelMain'] = class {
  readonly port1: ShellPort;
  readonly port2: ShellPort;

  constructor() {
    const [port1, port2] = PortDouble.pair();
    this.port1 = port1 as unknown as ShellPort;
    this.port2 = port2 as unknown as ShellPort;
  }
};
