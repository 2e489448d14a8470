import { openByteSource } from '../byte-source.ts';
import { TAG } from '../tiff/tags.ts';
import { readTiffFile } from '../tiff/tiff-file.ts';

/** Hamamatsu's private tags, by OpenSlide's names (openslide-vendor-hamamatsu.c) where it has one. */
const NDPI = { sourceLens: 65421, focalPlane: 65424, filterSet: 65434 } as const;

/** What the directories of an NDPI file say that OpenSlide does not hand out. */
export interface NdpiFacts {
  /** Sizes of all directories, as `WIDTHxHEIGHT`. */
  readonly sizes: ReadonlySet<string>;
  /** Focal planes of the scan: distinct offsets from the focus. */
  readonly focalPlanes: number;
  /** Name of the filter set of a fluorescence scan; null for brightfield. */
  readonly filterSet: string | null;
  readonly iccProfile: Uint8Array | null;
}

/** Reads them; null where the file bends the rules of TIFF too far (above 4 GiB). */
export async function readNdpi(path: string): Promise<NdpiFacts | null> {
  const source = await openByteSource(path);
  try {
    const { ifds } = await readTiffFile(source);
    const sizes = new Set<string>();
    const planes = new Set<string>();
    for (const ifd of ifds) {
      sizes.add(`${await ifd.number(TAG.imageWidth)}x${await ifd.number(TAG.imageLength)}`);
      // Macro image and map have a negative lens and no focus.
      const lens = await ifd.bytes(NDPI.sourceLens);
      const plane = await ifd.bytes(NDPI.focalPlane);
      if (lens !== null && plane !== null && float32(lens) > 0) planes.add(Buffer.from(plane).toString('hex'));
    }
    const filterSet = (await ifds[0]?.text(NDPI.filterSet, 1 << 12))?.trim() ?? '';
    const profile = (await ifds[0]?.bytes(TAG.iccProfile)) ?? null;
    return {
      sizes,
      focalPlanes: Math.max(1, planes.size),
      filterSet: filterSet === '' ? null : filterSet,
      iccProfile: profile === null ? null : Uint8Array.from(profile),
    };
  } catch {
    return null;
  } finally {
    await source.close();
  }
}

/** NDPI is little-endian always. */
function float32(bytes: Uint8Array): number {
  return bytes.length < 4 ? Number.NaN : new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true);
}

/** Sentences to show on opening. */
export function ndpiWarnings({ focalPlanes, filterSet }: NdpiFacts): readonly string[] {
  const planes = `The slide has ${focalPlanes} focal planes; the one that was focused on is shown.`;
  const channel = `One fluorescence channel (${filterSet}), in the colours the scanner gave it.`;
  return [...(focalPlanes > 1 ? [planes] : []), ...(filterSet === null ? [] : [channel])];
}
