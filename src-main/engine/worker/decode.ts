import { parentPort, workerData } from 'node:worker_threads';
import type { StainNormalisation } from '../../../src-shared/model/stain.ts';
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
  const { slidePath, stain } = workerData as DecodeWorkerData;
  const repaint = stain === undefined ? null : stainTransform(stain);
  const source = openSlideSource(slidePath);
  // The first batch reports why a slide does not open; without a batch nobody needs to know.
  source.catch(() => {});
  port.on('message', (message: DecodeRequest | 'close') => {
    if (message !== 'close') {
      void answerBatch(source, message).then((reply) => {
        if (repaint !== null && reply.error === null) repaint(pixelsOf(message));
        port.postMessage(reply);
      });
      return;
    }
    source
      .then((slide) => slide.close())
      .finally(() => port.close())
      .catch(() => {});
  });
}

function pixelsOf({ output, offset, outWidthPx, outHeightPx, regions }: DecodeRequest): Uint8Array {
  return new Uint8Array(output, offset, outWidthPx * outHeightPx * 3 * regions.length);
}

main();
