import { formatUnsupported } from '../slide-errors.ts';
import type { Ifd } from './ifd.ts';
import { pageLevel } from './level.ts';
import { TAG } from './tags.ts';
import type { TiffFile } from './tiff-file.ts';
import { readPage, type TiffPage } from './tiff-page.ts';
import type { TiffSlideLayout } from './tiff-source.ts';

const REDUCED_IMAGE = 1;
/** Outside this range a resolution tag speaks of print (72 dpi is 353 µm), not of a microscope. */
const MPP_RANGE_UM = { min: 0.02, max: 50 } as const;
const UNIT_UM = new Map([
  [2, 25_400],
  [3, 10_000],
]);

/** True where the file can be read as a generic pyramid: its first directory is tiled. */
export function isTiledTiff(file: TiffFile): boolean {
  return file.ifds[0]?.has(TAG.tileWidth) === true;
}

/**
 * A generic tiled TIFF: the first directory and every tiled directory marked as a reduced image are levels, finest
 * first (OpenSlide, openslide-vendor-generic-tiff.c). The pixel size comes from `MPP = x` in a description that
 * Hyaline's own writer made, else from the resolution tags (as OpenSlide 4 does).
 */
export async function readGeneric(file: TiffFile): Promise<TiffSlideLayout> {
  const levels: TiffPage[] = [];
  for (const [index, ifd] of file.ifds.entries()) {
    if (!ifd.has(TAG.tileWidth)) continue;
    if (index > 0 && (((await ifd.number(TAG.newSubfileType)) ?? 0) & REDUCED_IMAGE) === 0) continue;
    const page = await readPage(ifd, file.layout.littleEndian);
    levels.push(page);
  }
  const finest = levels[0];
  if (finest === undefined) throw formatUnsupported('strips instead of tiles');
  levels.sort((a, b) => b.widthPx - a.widthPx);
  const warnings: string[] = [];
  const description = (await finest.ifd.text(TAG.imageDescription, 1 << 20)) ?? '';
  const synthetic = description.startsWith('Hyaline synthetic');
  const stated = synthetic ? Number.parseFloat(/MPP = ([0-9.eE+-]+)/.exec(description)?.[1] ?? '') : Number.NaN;
  const mpp =
    Number.isFinite(stated) && stated > 0 ? { xUm: stated, yUm: stated } : await resolutionMpp(finest.ifd, warnings);
  return {
    vendor: synthetic ? 'hyaline-synthetic' : 'generic-tiff',
    levels: levels.map((page) => pageLevel(file.source, page)),
    associated: new Map(),
    mpp,
    objective: null,
    warnings,
  };
}

/** Micrometres per pixel from XResolution, YResolution and ResolutionUnit; null where they are absent or of print. */
export async function resolutionMpp(ifd: Ifd, warnings: string[]): Promise<{ xUm: number; yUm: number } | null> {
  const unitUm = UNIT_UM.get((await ifd.number(TAG.resolutionUnit)) ?? 2);
  const xPerUnit = await ifd.rational(TAG.xResolution);
  const yPerUnit = await ifd.rational(TAG.yResolution);
  if (unitUm === undefined || xPerUnit === null || yPerUnit === null || xPerUnit <= 0 || yPerUnit <= 0) return null;
  const mpp = { xUm: unitUm / xPerUnit, yUm: unitUm / yPerUnit };
  const inRange = [mpp.xUm, mpp.yUm].every((um) => um >= MPP_RANGE_UM.min && um <= MPP_RANGE_UM.max);
  if (inRange) return mpp;
  warnings.push(
    `The file states ${Number(mpp.xUm.toPrecision(3))} µm per pixel, which no microscope has; the pixel size is taken as unknown.`,
  );
  return null;
}
