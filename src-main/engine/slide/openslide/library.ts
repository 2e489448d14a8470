import koffi from 'koffi';
import { callNative, type NativeFunction } from '../../codec/native-call.ts';

/** An `openslide_t *`. */
export type OpenSlideHandle = unknown;

/** The C functions of OpenSlide in use (openslide.h, 3.4.1 and 4.0 alike). Long ones are called off the main thread. */
export interface OpenSlideLibrary {
  readonly version: string;
  /** Which file was loaded. */
  readonly file: string;
  detectVendor(path: string): Promise<string | null>;
  open(path: string): Promise<OpenSlideHandle | null>;
  close(handle: OpenSlideHandle): Promise<void>;
  error(handle: OpenSlideHandle): string | null;
  levelCount(handle: OpenSlideHandle): number;
  levelSize(handle: OpenSlideHandle, level: number): { widthPx: number; heightPx: number };
  levelDownsample(handle: OpenSlideHandle, level: number): number;
  property(handle: OpenSlideHandle, name: string): string | null;
  associatedNames(handle: OpenSlideHandle): readonly string[];
  associatedSize(handle: OpenSlideHandle, name: string): { widthPx: number; heightPx: number };
  /** Premultiplied BGRA of a region whose origin is in level-0 pixels. */
  readRegion(
    handle: OpenSlideHandle,
    x0Px: number,
    y0Px: number,
    level: number,
    widthPx: number,
    heightPx: number,
  ): Promise<Uint8Array>;
  readAssociated(handle: OpenSlideHandle, name: string, widthPx: number, heightPx: number): Promise<Uint8Array>;
  /** The embedded profile; null where there is none. Absent in OpenSlide 3, which cannot tell. */
  iccProfile?(handle: OpenSlideHandle): Promise<Uint8Array | null>;
}

const FILES: Readonly<Record<string, readonly string[]>> = {
  linux: ['libopenslide.so.1', 'libopenslide.so.0', 'libopenslide.so'],
  darwin: [
    'libopenslide.1.dylib',
    '/opt/homebrew/lib/libopenslide.1.dylib',
    '/usr/local/lib/libopenslide.1.dylib',
    'libopenslide.0.dylib',
  ],
  win32: ['libopenslide-1.dll', 'libopenslide-0.dll'],
};

/** No slide has as many; a longer list comes from a damaged file. */
const MAX_NAMES = 256;
const MAX_PROFILE_BYTES = 1 << 26;

let loaded: OpenSlideLibrary | null | undefined;

/**
 * OpenSlide, where it is installed on this computer; null where it is not (it is never shipped: no npm package holds
 * it). HYALINE_OPENSLIDE names another file, and `none` turns it off.
 */
export function openSlideLibrary(): OpenSlideLibrary | null {
  if (loaded === undefined) loaded = load();
  return loaded;
}

function load(): OpenSlideLibrary | null {
  const named = process.env.HYALINE_OPENSLIDE;
  if (named === 'none') return null;
  const files = named === undefined || named === '' ? (FILES[process.platform] ?? []) : [named];
  for (const file of files) {
    try {
      return bind(file);
    } catch {
      // Not this one; the next name may do.
    }
  }
  return null;
}

function bind(file: string): OpenSlideLibrary {
  const library = koffi.load(file);
  const detect = library.func('const char *openslide_detect_vendor(const char *path)');
  const open = library.func('void *openslide_open(const char *path)');
  const close = library.func('void openslide_close(void *slide)');
  const error = library.func('const char *openslide_get_error(void *slide)');
  const levelCount = library.func('int32_t openslide_get_level_count(void *slide)');
  const levelSize = library.func(
    'void openslide_get_level_dimensions(void *slide, int32_t level, _Out_ int64_t *width, _Out_ int64_t *height)',
  );
  const downsample = library.func('double openslide_get_level_downsample(void *slide, int32_t level)');
  const property = library.func('const char *openslide_get_property_value(void *slide, const char *name)');
  const names = library.func('void *openslide_get_associated_image_names(void *slide)');
  const associatedSize = library.func(
    'void openslide_get_associated_image_dimensions(void *slide, const char *name, _Out_ int64_t *width, _Out_ int64_t *height)',
  );
  const readAssociated = library.func(
    'void openslide_read_associated_image(void *slide, const char *name, void *pixels)',
  );
  const readRegion = library.func(
    'void openslide_read_region(void *slide, void *pixels, int64_t x, int64_t y, int32_t level, int64_t width, int64_t height)',
  );
  const version = library.func('const char *openslide_get_version()');
  const size = (call: (width: number[], height: number[]) => void): { widthPx: number; heightPx: number } => {
    const width = [0];
    const height = [0];
    call(width, height);
    return { widthPx: Number(width[0]), heightPx: Number(height[0]) };
  };
  return {
    version: String(version()),
    file,
    detectVendor: (path) => callNative<string | null>(detect, path),
    open: (path) => callNative<OpenSlideHandle | null>(open, path),
    close: (handle) => callNative<undefined>(close, handle),
    error: (handle) => error(handle) as string | null,
    levelCount: (handle) => Number(levelCount(handle)),
    levelSize: (handle, level) => size((width, height) => levelSize(handle, level, width, height)),
    levelDownsample: (handle, level) => Number(downsample(handle, level)),
    property: (handle, name) => property(handle, name) as string | null,
    associatedNames: (handle) => nameList(names(handle)),
    associatedSize: (handle, name) => size((width, height) => associatedSize(handle, name, width, height)),
    async readRegion(handle, x0Px, y0Px, level, widthPx, heightPx) {
      const pixels = Buffer.alloc(widthPx * heightPx * 4);
      await callNative(readRegion, handle, pixels, x0Px, y0Px, level, widthPx, heightPx);
      return pixels;
    },
    async readAssociated(handle, name, widthPx, heightPx) {
      const pixels = Buffer.alloc(widthPx * heightPx * 4);
      await callNative(readAssociated, handle, name, pixels);
      return pixels;
    },
    ...bindProfiles(library),
  };
}

/** OpenSlide 4's functions for colour profiles; none where the library does not have them. */
function bindProfiles(library: ReturnType<typeof koffi.load>): Pick<OpenSlideLibrary, 'iccProfile'> {
  let size: NativeFunction;
  let read: NativeFunction;
  try {
    size = library.func('int64_t openslide_get_icc_profile_size(void *slide)');
    read = library.func('void openslide_read_icc_profile(void *slide, void *profile)');
  } catch {
    return {};
  }
  return {
    async iccProfile(handle) {
      const bytes = Number(size(handle));
      if (bytes <= 0 || bytes > MAX_PROFILE_BYTES) return null;
      const profile = Buffer.alloc(bytes);
      await callNative(read, handle, profile);
      return profile;
    },
  };
}

/** A NULL-terminated array of C strings. */
function nameList(pointer: unknown): readonly string[] {
  const found: string[] = [];
  if (pointer === null) return found;
  for (let index = 0; index < MAX_NAMES; index++) {
    const name: unknown = koffi.decode(pointer, index * koffi.sizeof('void *'), 'const char *');
    if (typeof name !== 'string') break;
    found.push(name);
  }
  return found;
}
