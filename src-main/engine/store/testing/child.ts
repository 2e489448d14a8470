import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface Child {
  readonly process: ChildProcess;
  /** The next line of its stdout; rejects where it ended without one. */
  line(): Promise<string>;
  /** Every complete line written so far. */
  readonly lines: readonly string[];
  /** Waits until it has ended and its output is read. */
  ended(): Promise<void>;
}

/** Starts a script of this folder as a process of its own. */
export function startChild(script: string, args: readonly string[]): Child {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines: string[] = [];
  const reader = createInterface({ input: child.stdout });
  reader.on('line', (line) => lines.push(line));
  const closed = once(child, 'close');
  let given = 0;
  return {
    process: child,
    lines,
    line: async () => {
      while (lines.length <= given) {
        if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${script} ended without a line`);
        await Promise.race([once(reader, 'line'), closed]);
      }
      return lines[given++] ?? '';
    },
    ended: async () => {
      await closed;
    },
  };
}
