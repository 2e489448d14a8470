import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { workerUrl } from '../worker/worker-url.ts';
import { CodecError } from './codec-error.ts';
import { decodeJpegLs } from './jpeg-ls.ts';
import { decodeJpeg2000 } from './jpeg2000.ts';
import type { RasterImage } from './raster.ts';
import { decodesInThisThread } from './thread-mode.ts';

/** A codec that runs in WebAssembly and so blocks its thread for milliseconds. */
export type WasmCoding = { readonly kind: 'jpeg2000'; readonly colour: 'rgb' | 'ycbcr' } | { readonly kind: 'jpeg-ls' };

/** What a codec thread receives and answers. */
export interface CodecRequest {
  readonly id: number;
  readonly coding: WasmCoding;
  readonly stream: Uint8Array;
}
export interface CodecReply {
  readonly id: number;
  readonly image: RasterImage | null;
  readonly error: string;
}

const MAX_THREADS = 4;

let threads: CodecThread[] = [];

/**
 * Decodes a stream with a WebAssembly codec on a thread of its own, so that the caller's event loop goes on. Threads
 * start when they are first needed, up to four, and do not keep the process alive. Throws CodecError.
 */
export function decodeWasm(coding: WasmCoding, stream: Uint8Array): Promise<RasterImage> {
  if (decodesInThisThread()) return decodeHere(coding, stream);
  threads = threads.filter((thread) => thread.alive);
  let thread = threads.toSorted((a, b) => a.load - b.load)[0];
  if (thread === undefined || (thread.load > 0 && threads.length < Math.min(MAX_THREADS, availableParallelism()))) {
    thread = new CodecThread();
    threads.push(thread);
  }
  return thread.decode(coding, stream);
}

/** The same on the calling thread. */
export function decodeHere(coding: WasmCoding, stream: Uint8Array): Promise<RasterImage> {
  return coding.kind === 'jpeg2000' ? decodeJpeg2000(stream, coding.colour) : decodeJpegLs(stream);
}

interface Waiting {
  readonly resolve: (image: RasterImage) => void;
  readonly reject: (error: CodecError) => void;
}

class CodecThread {
  alive = true;
  readonly #worker = new Worker(workerUrl('codec'));
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 0;

  constructor() {
    this.#worker.unref();
    this.#worker.on('message', (reply: CodecReply) => this.#settle(reply));
    this.#worker.on('error', (error) => this.#fail(String(error)));
    this.#worker.on('exit', (code) => this.#fail(`codec thread ended with ${code}`));
  }

  get load(): number {
    return this.#waiting.size;
  }

  decode(coding: WasmCoding, stream: Uint8Array): Promise<RasterImage> {
    const request: CodecRequest = { id: this.#nextId++, coding, stream };
    return new Promise((resolve, reject) => {
      this.#waiting.set(request.id, { resolve, reject });
      this.#worker.ref();
      this.#worker.postMessage(request);
    });
  }

  #settle({ id, image, error }: CodecReply): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if (image === null) waiting?.reject(new CodecError(error));
    else waiting?.resolve(image);
  }

  #fail(reason: string): void {
    this.alive = false;
    for (const waiting of this.#waiting.values()) waiting.reject(new CodecError(reason));
    this.#waiting.clear();
  }
}
