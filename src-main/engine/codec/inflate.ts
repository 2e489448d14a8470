import { promisify } from 'node:util';
import { inflate, zstdDecompress } from 'node:zlib';
import { CodecError } from './codec-error.ts';

const inflateAsync = promisify(inflate);
const zstdAsync = promisify(zstdDecompress);

/** A zlib stream of exactly `expectedBytes`. Throws CodecError; never allocates more than is expected. */
export async function decodeDeflate(stream: Uint8Array, expectedBytes: number): Promise<Uint8Array> {
  return exactly('Deflate', expectedBytes, () => inflateAsync(stream, { maxOutputLength: expectedBytes }));
}

/** A Zstandard stream of exactly `expectedBytes`. Throws CodecError; never allocates more than is expected. */
export async function decodeZstd(stream: Uint8Array, expectedBytes: number): Promise<Uint8Array> {
  return exactly('Zstandard', expectedBytes, () => zstdAsync(stream, { maxOutputLength: expectedBytes }));
}

async function exactly(name: string, expectedBytes: number, run: () => Promise<Buffer>): Promise<Uint8Array> {
  let bytes: Buffer;
  try {
    bytes = await run();
  } catch (error) {
    throw new CodecError(`${name} stream does not decode`, { cause: error });
  }
  if (bytes.length < expectedBytes) {
    throw new CodecError(`${name} stream gives ${bytes.length} of ${expectedBytes} bytes`);
  }
  return bytes;
}
