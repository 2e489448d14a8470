import { parentPort } from 'node:worker_threads';
import { type CodecReply, type CodecRequest, decodeHere } from '../codec/wasm-codecs.ts';

/** Codec worker: decodes one stream after another with the WebAssembly codecs; pixels go back without a copy. */
function main(): void {
  const port = parentPort;
  if (port === null) throw new Error('codec.ts runs as a worker thread');
  port.on('message', ({ id, coding, stream }: CodecRequest) => {
    decodeHere(coding, stream).then(
      (image) => {
        const { buffer } = image.data;
        const whole = buffer instanceof ArrayBuffer && buffer.byteLength === image.data.byteLength;
        port.postMessage({ id, image, error: '' } satisfies CodecReply, whole ? [buffer] : []);
      },
      (error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        port.postMessage({ id, image: null, error: reason } satisfies CodecReply);
      },
    );
  });
}

main();
