import { slideDamaged } from '../slide-errors.ts';
import { type Channel, compositeLevels, defaultColour } from './composite.ts';
import { resolutionMpp } from './generic.ts';
import { pageLevel, type TiffLevel } from './level.ts';
import { compositeWarning } from './ome.ts';
import { TAG } from './tags.ts';
import type { TiffFile } from './tiff-file.ts';
import { readPage, type TiffPage } from './tiff-page.ts';
import type { TiffSlideLayout } from './tiff-source.ts';

const ASSOCIATED: ReadonlyMap<string, string> = new Map([
  ['Thumbnail', 'thumbnail'],
  ['Overview', 'macro'],
  ['Label', 'label'],
]);

interface QpiPage {
  readonly page: TiffPage;
  readonly imageType: string;
  readonly description: string;
}

/** PerkinElmer/Akoya QPTIFF names itself in the XML of every description. */
export function isQptiff(description: string | null): boolean {
  return description?.includes('<PerkinElmer-QPI-ImageDescription') === true;
}

/**
 * QPTIFF (Akoya, "QPTIFF file format", 2019): pages of one size are the channels of one level, `FullResolution` first,
 * then a thumbnail, `ReducedResolution` levels, overview and label. Brightfield slides have one RGB page a level.
 */
export async function readQptiff(file: TiffFile): Promise<TiffSlideLayout> {
  const pages: QpiPage[] = [];
  for (const ifd of file.ifds) {
    const description = (await ifd.text(TAG.imageDescription)) ?? '';
    const page = await readPage(ifd, file.layout.littleEndian);
    pages.push({ page, imageType: xmlText(description, 'ImageType') ?? '', description });
  }
  const associated = new Map<string, TiffPage>();
  const bySize = new Map<number, QpiPage[]>();
  for (const entry of pages) {
    const name = ASSOCIATED.get(entry.imageType);
    if (name !== undefined && !associated.has(name)) associated.set(name, entry.page);
    if (entry.imageType !== 'FullResolution' && entry.imageType !== 'ReducedResolution') continue;
    bySize.set(entry.page.widthPx, [...(bySize.get(entry.page.widthPx) ?? []), entry]);
  }
  const groups = [...bySize.entries()].sort(([a], [b]) => b - a).map(([, group]) => group);
  const finest = groups[0];
  const first = finest?.[0];
  if (finest === undefined || first === undefined) throw slideDamaged('QPTIFF without a full-resolution page');
  const warnings: string[] = [];
  const mpp = await resolutionMpp(first.page.ifd, warnings);
  let levels: readonly TiffLevel[];
  if (first.page.samplesPerPixel >= 3) {
    levels = groups.map((group) => pageLevel(file.source, (group[0] as QpiPage).page));
  } else {
    const channels = finest.map(({ description }, index) => channelOf(description, index));
    warnings.push(compositeWarning(channels));
    levels = compositeLevels(
      file.source,
      groups.map((group) => ({ pages: group.map(({ page }) => page) })),
      channels,
    );
  }
  const power = Number.parseFloat(xmlText(first.description, 'Objective') ?? '');
  return { vendor: 'qptiff', levels, associated, mpp, objective: power > 0 ? power : null, warnings };
}

function channelOf(description: string, index: number): Channel {
  const parts = (xmlText(description, 'Color') ?? '').split(',').map((part) => Number.parseInt(part, 10));
  const [red = -1, green = -1, blue = -1] = parts;
  const valid = parts.length === 3 && [red, green, blue].every((value) => value >= 0 && value <= 255);
  return {
    name: xmlText(description, 'Name') ?? xmlText(description, 'Biomarker') ?? `channel ${index + 1}`,
    rgb: valid ? [red, green, blue] : defaultColour(index),
  };
}

/**
 * The first element of that name. The descriptions hold a whole scan profile, declared as UTF-16 although they are
 * UTF-8, of which four elements near the start are wanted: no XML parser needed.
 */
function xmlText(description: string, element: string): string | null {
  const start = description.indexOf(`<${element}>`);
  if (start < 0) return null;
  const end = description.indexOf(`</${element}>`, start);
  return end < 0 ? null : description.slice(start + element.length + 2, end).trim();
}
