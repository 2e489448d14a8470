import { parentPort, workerData } from 'node:worker_threads';
import type { StainNormalisation } from '../../../src-shared/model/stain.ts';
import { decodeInThisThread } from '../codec/thread-mode.ts';
import { stainTransform } from '../extract/stain/stain.ts';
import { openSlideSource } from '../slide/open-slide.ts';
import { answerBatch, type DecodeRequest } from '../slide/region-batch.ts';

interface DecodeWorkerData {
  readonly slidePath: string;
  readonly stain?: StainNormalisation;
}

/**
 * Decode worker: opens `workerData.slidePath` once and answers batches of regions until its port is closed; where a
 * stain normalisation is given, the regions are repainted before they are answered.
 */
function main(): void {
  const port = parentPort;
  if (port === null) throw new Error('decode.ts runs as a worker thread');
  decodeInThisThread();
  const { slidePath, stain } = workerData as DecodeWorkerData;
  const repaint = stain === undefined ? null : stainTransform(stain);
  const source = openSlideSource(slidePath);
  // The first batch reports why a slide does not open; without a batch nobody needs to know.
  source.catch(() => {});
  port.on('message', (message: DecodeRequest | 'close') => {
    if (message !== 'close') {
      void answerBatch(source, message, repaint).then((reply) => port.postMessage(reply));
      return;
    }
    source
      .then((slide) => slide.close())
      .finally(() => port.close())
      .catch(() => {});
  });
}

main();
