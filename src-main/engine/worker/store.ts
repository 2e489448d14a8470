import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { toErrorPayload } from '../../../src-shared/errors.ts';
import type { StoreReply, StoreRequest, StoreWorkerData } from '../store/protocol.ts';
import { openSqliteStore, type SqliteStore } from '../store/sqlite-store.ts';

/** The store's thread: opens the database, then answers one call after the other. */
function serve(port: MessagePort, { maxPageCount, ...options }: StoreWorkerData): void {
  const reply = (message: StoreReply): void => port.postMessage(message);
  let opened: SqliteStore;
  try {
    opened = openSqliteStore({
      ...options,
      ...(maxPageCount === null ? {} : { maxPageCount }),
      onSlow: (call) => reply({ kind: 'slow', call }),
    });
  } catch (error) {
    reply({ kind: 'refused', error: toErrorPayload(error) });
    return;
  }
  port.on('message', (request: StoreRequest) => {
    const { id } = request;
    try {
      if (request.kind === 'close') {
        opened.close();
        reply({ kind: 'value', id, value: null });
        port.close();
        return;
      }
      const method = opened.store[request.method] as (...args: readonly unknown[]) => unknown;
      reply({ kind: 'value', id, value: method(...request.args) });
    } catch (error) {
      reply({ kind: 'error', id, error: toErrorPayload(error) });
    }
  });
  reply({ kind: 'opened' });
}

if (parentPort !== null) serve(parentPort, workerData as StoreWorkerData);
