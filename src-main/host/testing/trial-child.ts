import { EventEmitter } from 'node:events';

/** Stands for an Electron utility process: its parent port over the channel of a child process, then the real entry. */
class ParentPort extends EventEmitter {
  postMessage(message: unknown): void {
    process.send?.(message);
  }
}

// A driver that brings its process down, when the test asks for one.
if (process.env.HYALINE_TEST_DRIVER === 'dies') process.kill(process.pid, 'SIGKILL');
Object.assign(process, { parentPort: new ParentPort() });
await import('../utility.ts');
