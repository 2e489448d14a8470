import { parentPort, workerData } from 'node:worker_threads';
import { openSlideSource } from '../slide/open-slide.ts';
import { answerBatch, type DecodeRequest } from '../slide/region-batch.ts';

/** Decode worker: opens `workerData.slidePath` once and answers batches of regions until its port is closed. */
function main(): void {
  const port = parentPort;
  if (port === null) throw new Error('decode.ts runs as a worker thread');
  const { slidePath } = workerData as { slidePath: string };
  const source = openSlideSource(slidePath);
  // The first batch reports why a slide does not open; without a batch nobody needs to know.
  source.catch(() => {});
  port.on('message', (message: DecodeRequest | 'close') => {
    if (message !== 'close') {
      void answerBatch(source, message).then((reply) => port.postMessage(reply));
      return;
    }
    source
      .then((slide) => slide.close())
      .finally(() => port.close())
      .catch(() => {});
  });
}

main();
