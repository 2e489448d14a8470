import { join } from 'node:path';
import { AppError } from '../../../../src-shared/errors.ts';
import { acquireLock } from '../lock.ts';

/** A process that takes a store's lock, says so on stdout, and holds it until it is killed or told to leave. */
const [folder = '', program = 'owner', startAtMs = '0'] = process.argv.slice(2);

setTimeout(
  () => {
    try {
      const lock = acquireLock({ path: join(folder, 'hyaline.db.lock'), program });
      process.stdout.write('owner\n');
      process.stdin.once('data', () => {
        lock.release();
        process.exit(0);
      });
    } catch (error) {
      process.stdout.write(`${error instanceof AppError ? `${error.code}: ${error.message}` : String(error)}\n`);
      process.exit(3);
    }
  },
  Math.max(0, Number(startAtMs) - Date.now()),
);
