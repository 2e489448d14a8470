import { EventEmitter } from 'node:events';
import { pathToFileURL } from 'node:url';
import type { ToChild, ToParent } from './utility-double.ts';

/**
 * Runs in the child process that stands for a utility process: gives it `process.parentPort` with ports that are
 * relayed over the process channel, then loads the real entry.
 */
class RelayedPort extends EventEmitter {
  readonly #id: number;
  #queue: unknown[] | null = [];

  constructor(id: number) {
    super();
    this.#id = id;
  }

  postMessage(data: unknown): void {
    tell({ kind: 'port', id: this.#id, data });
  }

  start(): void {
    const queue = this.#queue ?? [];
    this.#queue = null;
    for (const data of queue) this.emit('message', { data, ports: [] });
  }

  close(): void {
    tell({ kind: 'port-closed', id: this.#id });
  }

  receive(data: unknown): void {
    if (this.#queue === null) this.emit('message', { data, ports: [] });
    else this.#queue.push(data);
  }
}

function tell(message: ToParent): void {
  if (process.connected) process.send?.(message);
}

const ports = new Map<number, RelayedPort>();
const waiting: unknown[] = [];
const parentPort = Object.assign(new EventEmitter(), {
  postMessage: (data: unknown): void => tell({ kind: 'message', data }),
});

/** Electron queues what arrives before the first listener. */
parentPort.on('newListener', (name) => {
  if (name === 'message')
    setImmediate(() => waiting.splice(0).forEach((event) => void parentPort.emit('message', event)));
});

process.on('message', (message: ToChild) => {
  if (message.kind === 'message') {
    const received = message.portIds.map((id) => {
      const port = new RelayedPort(id);
      ports.set(id, port);
      return port;
    });
    const event = { data: message.data, ports: received };
    if (parentPort.listenerCount('message') === 0) waiting.push(event);
    else parentPort.emit('message', event);
  } else if (message.kind === 'port') {
    ports.get(message.id)?.receive(message.data);
  } else {
    ports.get(message.id)?.emit('close');
    ports.delete(message.id);
  }
});
// A utility process ends with the application.
process.on('disconnect', () => process.exit(0));

Object.assign(process, { parentPort });
const [entry = '', ...args] = process.argv.slice(2);
process.argv = [process.argv[0] ?? '', entry, ...args];
await import(pathToFileURL(entry).href);
