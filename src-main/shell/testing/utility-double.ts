import { type ChildProcess, fork } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ElectronParts, EngineChild } from '../electron.ts';
import { PortDouble } from './port-double.ts';

export type ToChild =
  | { readonly kind: 'message'; readonly data: unknown; readonly portIds: readonly number[] }
  | { readonly kind: 'port'; readonly id: number; readonly data: unknown }
  | { readonly kind: 'port-closed'; readonly id: number };

export type ToParent =
  | { readonly kind: 'message'; readonly data: unknown }
  | { readonly kind: 'port'; readonly id: number; readonly data: unknown }
  | { readonly kind: 'port-closed'; readonly id: number };

const CHILD_ENTRY = fileURLToPath(new URL('./utility-child.ts', import.meta.url));

/** What a fork was asked for. */
export interface ForkRecord {
  readonly modulePath: string;
  readonly args: readonly string[];
  readonly options: Electron.ForkOptions;
  readonly child: ChildProcess;
}

/**
 * Electron's utilityProcess over a real child process: its own memory, its own event loop, killable. Ports are relayed
 * over the process channel; as in Electron, nothing but ports can be transferred, and bytes are copied.
 * @param entryFor replaces the module to run (the built engine by its source)
 */
export function utilityProcessDouble(
  forks: ForkRecord[],
  entryFor: (modulePath: string) => string,
): ElectronParts['utilityProcess'] {
  return {
    fork(modulePath, args, options) {
      const output = options.stdio === 'ignore' ? 'ignore' : 'inherit';
      const child = fork(CHILD_ENTRY, [entryFor(modulePath), ...args], {
        serialization: 'advanced',
        stdio: ['ignore', output, output, 'ipc'],
        env: options.env as NodeJS.ProcessEnv,
        execArgv: [],
      });
      forks.push({ modulePath, args, options, child });
      return new UtilityDouble(child) as unknown as EngineChild;
    },
  };
}

class UtilityDouble extends EventEmitter {
  readonly #child: ChildProcess;
  readonly #ports = new Map<number, PortDouble>();
  #nextPortId = 1;

  constructor(child: ChildProcess) {
    super();
    this.#child = child;
    child.on('spawn', () => this.emit('spawn'));
    child.on('message', (message: ToParent) => this.#receive(message));
    child.on('exit', (code, signal) => {
      for (const port of this.#ports.values()) port.close();
      this.#ports.clear();
      // Electron gives one number; a killed process has none of its own.
      this.emit('exit', code ?? (signal === 'SIGKILL' ? 9 : 15));
    });
  }

  get pid(): number | undefined {
    return this.#child.exitCode === null ? this.#child.pid : undefined;
  }

  postMessage(data: unknown, transfer: readonly unknown[] = []): void {
    const portIds = transfer.map((port) => {
      if (!(port instanceof PortDouble)) throw new TypeError('Invalid value for transfer');
      return this.#adopt(port);
    });
    this.#tell({ kind: 'message', data, portIds });
  }

  kill(): boolean {
    return this.#child.kill('SIGTERM');
  }

  #adopt(port: PortDouble): number {
    const id = this.#nextPortId++;
    this.#ports.set(id, port);
    port.on('message', ({ data }: { data: unknown }) => this.#tell({ kind: 'port', id, data }));
    port.on('close', () => {
      this.#ports.delete(id);
      this.#tell({ kind: 'port-closed', id });
    });
    port.start();
    return id;
  }

  #receive(message: ToParent): void {
    if (message.kind === 'message') this.emit('message', message.data);
    else if (message.kind === 'port') this.#ports.get(message.id)?.postMessage(message.data);
    else this.#ports.get(message.id)?.close();
  }

  #tell(message: ToChild): void {
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }
}
