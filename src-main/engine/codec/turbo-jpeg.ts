import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import koffi from 'koffi';
import { CodecError } from './codec-error.ts';
import { callNative } from './native-call.ts';
import { takePixels } from './pixel-pool.ts';
import type { RasterImage } from './raster.ts';
import { decodesInThisThread } from './thread-mode.ts';

/** A `tjhandle`. */
type Handle = unknown;

/** libjpeg-turbo's own interface (turbojpeg.h, version 3), with the accurate inverse DCT and smooth chroma upsampling. */
export interface TurboJpeg {
  /** Which file was loaded. */
  readonly file: string;
  /**
   * Decodes to 8-bit RGB, on this thread where it is one for decoding, else off it. Null where TurboJPEG has no way
   * from the stream to RGB (CMYK, more than 8 bits). Throws CodecError for broken streams, a mere warning included.
   */
  decode(stream: Uint8Array, maxPixels: number): Promise<RasterImage | null>;
}

const INIT_DECOMPRESS = 1;
const PARAM = {
  stopOnWarning: 0,
  width: 5,
  height: 6,
  precision: 7,
  colourSpace: 8,
  scanLimit: 13,
  lossless: 15,
} as const;
const PIXELS_RGB = 0;
/** TJCS_RGB, TJCS_YCbCr, TJCS_GRAY; the others are forms of CMYK. */
const COLOUR_SPACES: readonly number[] = [0, 1, 2];
/** Progressive streams have about ten scans; one with thousands only costs time. */
const MAX_SCANS = 500;
/** Handles kept for the next streams; each holds some tens of KiB. */
const MAX_IDLE = 32;

let loaded: TurboJpeg | null | undefined;

/**
 * The libjpeg-turbo that @julusian/jpeg-turbo brings along, called directly: that package's own decoder always takes
 * the fast DCT, which is off by up to 7. Null where the package's build does not hand the functions out (Windows).
 */
export function turboJpeg(): TurboJpeg | null {
  if (loaded === undefined) loaded = load();
  return loaded;
}

function load(): TurboJpeg | null {
  for (const file of candidates()) {
    try {
      return bind(file);
    } catch {
      // Not of this system's C library, or without the functions; the next one may do.
    }
  }
  return null;
}

/** On Linux the package carries the library as a file, on macOS within its addon. */
function candidates(): readonly string[] {
  const prebuilds = join(
    dirname(createRequire(import.meta.url).resolve('@julusian/jpeg-turbo/package.json')),
    'prebuilds',
  );
  const { platform, arch } = process;
  if (platform === 'darwin') return [join(prebuilds, `jpeg-turbo-darwin-${arch}`, 'node-napi-v10.node')];
  if (platform !== 'linux') return [];
  return ['', '-musl'].map((libc) => join(prebuilds, `jpeg-turbo-linux-${arch}${libc}`, 'libturbojpeg.so.0'));
}

function bind(file: string): TurboJpeg {
  const library = koffi.load(file);
  const init = library.func('void *tj3Init(int type)');
  const set = library.func('int tj3Set(void *handle, int parameter, int value)');
  const get = library.func('int tj3Get(void *handle, int parameter)');
  const header = library.func('int tj3DecompressHeader(void *handle, const void *jpeg, size_t bytes)');
  const decompress = library.func(
    'int tj3Decompress8(void *handle, const void *jpeg, size_t bytes, void *pixels, int pitch, int format)',
  );
  const message = library.func('const char *tj3GetErrorStr(void *handle)');
  const destroy = library.func('void tj3Destroy(void *handle)');
  const fail = (handle: Handle): never => {
    throw new CodecError(`JPEG stream does not decode: ${message(handle) as string}`);
  };
  const newHandle = (): Handle => {
    const handle: Handle = init(INIT_DECOMPRESS);
    if (handle === null) throw new CodecError('libjpeg-turbo does not start');
    set(handle, PARAM.stopOnWarning, 1);
    set(handle, PARAM.scanLimit, MAX_SCANS);
    return handle;
  };
  const idle: Handle[] = [];
  const decodeWith = async (handle: Handle, stream: Uint8Array, maxPixels: number): Promise<RasterImage | null> => {
    // The size comes from the library itself: the buffer it writes to must fit what it read.
    if (header(handle, stream, stream.length) !== 0) fail(handle);
    const [widthPx, heightPx] = [get(handle, PARAM.width) as number, get(handle, PARAM.height) as number];
    if (widthPx * heightPx > maxPixels) throw new CodecError(`JPEG frame of ${widthPx} x ${heightPx} px`);
    const plain = get(handle, PARAM.precision) === 8 && get(handle, PARAM.lossless) === 0;
    if (!plain || !COLOUR_SPACES.includes(get(handle, PARAM.colourSpace) as number)) return null;
    const data = takePixels(widthPx * heightPx * 3);
    const args = [handle, stream, stream.length, data, widthPx * 3, PIXELS_RGB] as const;
    const code = decodesInThisThread() ? decompress(...args) : await callNative<number>(decompress, ...args);
    if (code !== 0) fail(handle);
    return { widthPx, heightPx, data };
  };
  return {
    file,
    async decode(stream, maxPixels) {
      const handle = idle.pop() ?? newHandle();
      try {
        const image = await decodeWith(handle, stream, maxPixels);
        if (idle.length < MAX_IDLE) idle.push(handle);
        else destroy(handle);
        return image;
      } catch (error) {
        // A handle may still hold what it failed on.
        destroy(handle);
        throw error;
      }
    },
  };
}
