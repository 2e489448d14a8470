import { XMLParser } from 'fast-xml-parser';
import { z } from 'zod';
import { formatUnsupported, slideDamaged } from '../slide-errors.ts';
import { type Channel, compositeLevels, defaultColour } from './composite.ts';
import { pageLevel, type TiffLevel } from './level.ts';
import { readSubIfds, type TiffFile } from './tiff-file.ts';
import { readPage, type TiffPage } from './tiff-page.ts';
import type { TiffSlideLayout } from './tiff-source.ts';

const MAX_PLANES = 10_000;
const UNIT_UM: ReadonlyMap<string, number> = new Map([
  ['µm', 1],
  ['μm', 1],
  ['nm', 1e-3],
  ['mm', 1e3],
  ['cm', 1e4],
  ['m', 1e6],
]);

const attribute = z.string().optional();
const count = z.coerce.number().int().min(1).max(MAX_PLANES).default(1);
/** Elements that may repeat: the XML parser gives none, one, or a list, and '' for an empty one. */
const many = <T extends z.ZodType>(item: T) =>
  z.preprocess((value) => {
    const list = value === undefined ? [] : Array.isArray(value) ? value : [value];
    return list.map((one: unknown) => (one === '' ? {} : one));
  }, z.array(item));

const pixelsSchema = z.object({
  '@DimensionOrder': z.string().default('XYZCT'),
  '@SizeC': count,
  '@SizeZ': count,
  '@SizeT': count,
  '@PhysicalSizeX': attribute,
  '@PhysicalSizeY': attribute,
  '@PhysicalSizeXUnit': attribute,
  '@PhysicalSizeYUnit': attribute,
  Channel: many(z.object({ '@Name': attribute, '@Color': attribute, '@SamplesPerPixel': attribute })),
  TiffData: many(
    z.object({
      '@IFD': attribute,
      '@FirstC': attribute,
      '@FirstZ': attribute,
      '@FirstT': attribute,
      '@PlaneCount': attribute,
    }),
  ),
});
type Pixels = z.output<typeof pixelsSchema>;

const omeSchema = z.object({
  OME: z.object({
    Image: many(z.object({ '@Name': attribute, Pixels: pixelsSchema })),
    Instrument: many(z.object({ Objective: many(z.object({ '@NominalMagnification': attribute })) })),
  }),
});

/** OME-TIFF carries its metadata as XML in the first directory's description. */
export function isOme(description: string | null): boolean {
  return description?.includes('<OME') === true;
}

/**
 * The first image of an OME-TIFF: coarser levels lie in SubIFDs of each plane (OME-TIFF 6.0). Brightfield RGB is shown
 * as it is; several channels as a composite; of a z-stack the middle plane, of a time series the first.
 * Throws SlideDamaged where the XML and the directories disagree.
 */
export async function readOme(file: TiffFile, description: string): Promise<TiffSlideLayout> {
  const { pixels, objective } = parseOme(description);
  const channels = channelsOf(pixels);
  const middle = Math.floor((pixels['@SizeZ'] - 1) / 2);
  const warnings: string[] = [];
  if (pixels['@SizeZ'] > 1) warnings.push(`The slide has ${pixels['@SizeZ']} focal planes; the middle one is shown.`);
  if (pixels['@SizeT'] > 1) warnings.push(`The slide has ${pixels['@SizeT']} time points; the first is shown.`);

  const planes: TiffPage[][] = [];
  for (const channel of channels.keys()) planes.push(await planeLevels(file, planeIfd(pixels, channel, middle)));
  const depth = Math.min(...planes.map((levels) => levels.length));
  const perLevel = Array.from({ length: depth }, (_, level) => ({
    pages: planes.map((levels) => levels[level] as TiffPage),
  }));
  const rgb = channels.length === 1 && (perLevel[0]?.pages[0]?.samplesPerPixel ?? 1) >= 3;
  let levels: readonly TiffLevel[];
  if (rgb) {
    levels = perLevel.map(({ pages }) => pageLevel(file.source, pages[0] as TiffPage));
  } else {
    warnings.push(compositeWarning(channels));
    levels = compositeLevels(file.source, perLevel, channels);
  }
  return { vendor: 'ome-tiff', levels, associated: new Map(), mpp: physicalSize(pixels), objective, warnings };
}

/** What a viewer should know about an image composed from fluorescence channels. */
export function compositeWarning(channels: readonly Channel[]): string {
  const names = channels.map((channel) => channel.name).join(', ');
  return `Shown as a composite of ${channels.length} channels (${names}), each scaled to its own brightest values.`;
}

function parseOme(description: string): { pixels: Pixels; objective: number | null } {
  try {
    const parser = new XMLParser({
      ignoreAttributes: false,
      attributeNamePrefix: '@',
      parseAttributeValue: false,
      processEntities: false,
      removeNSPrefix: true,
    });
    const { OME } = omeSchema.parse(parser.parse(description));
    const pixels = OME.Image[0]?.Pixels;
    if (pixels === undefined) throw slideDamaged('OME-XML without an image');
    const power = Number.parseFloat(OME.Instrument[0]?.Objective[0]?.['@NominalMagnification'] ?? '');
    return { pixels, objective: power > 0 ? power : null };
  } catch (error) {
    throw slideDamaged('OME-XML does not parse', error);
  }
}

/** One entry per plane to be read: a Channel of three samples is one RGB plane. */
function channelsOf(pixels: Pixels): readonly Channel[] {
  const samples = Number.parseInt(pixels.Channel[0]?.['@SamplesPerPixel'] ?? '1', 10);
  if (samples > 1 && pixels['@SizeC'] > samples) throw formatUnsupported('several channels of several samples');
  const planes = samples > 1 ? 1 : pixels['@SizeC'];
  return Array.from({ length: planes }, (_, index) => ({
    name: pixels.Channel[index]?.['@Name'] ?? `channel ${index + 1}`,
    rgb: omeColour(pixels.Channel[index]?.['@Color']) ?? defaultColour(index),
  }));
}

/** OME colours are signed 32-bit RGBA; -1 (white) is the schema's default and says nothing. */
function omeColour(text: string | undefined): readonly [number, number, number] | null {
  const value = Number.parseInt(text ?? '', 10);
  if (!Number.isInteger(value) || value === -1) return null;
  return [(value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255];
}

/** The directory of a plane: from TiffData where it says, else by the dimension order. */
function planeIfd(pixels: Pixels, channel: number, z: number): number {
  const size = {
    Z: pixels['@SizeZ'],
    C: pixels.Channel.length > 0 ? Math.min(pixels['@SizeC'], pixels.Channel.length) : pixels['@SizeC'],
    T: pixels['@SizeT'],
  };
  const wanted = { Z: z, C: channel, T: 0 };
  const order = [...pixels['@DimensionOrder'].slice(2)].filter((axis) => axis === 'Z' || axis === 'C' || axis === 'T');
  const planeNumber = (at: { Z: number; C: number; T: number }): number => {
    let number = 0;
    let stride = 1;
    for (const axis of order) {
      number += at[axis] * stride;
      stride *= size[axis];
    }
    return number;
  };
  for (const data of pixels.TiffData) {
    const integer = (text: string | undefined, fallback: number): number => Number.parseInt(text ?? '', 10) || fallback;
    const first = { Z: integer(data['@FirstZ'], 0), C: integer(data['@FirstC'], 0), T: integer(data['@FirstT'], 0) };
    const planes = integer(data['@PlaneCount'], data['@IFD'] === undefined ? MAX_PLANES : 1);
    const steps = planeNumber(wanted) - planeNumber(first);
    if (steps >= 0 && steps < planes) return integer(data['@IFD'], 0) + steps;
  }
  return planeNumber(wanted);
}

async function planeLevels(file: TiffFile, ifdNumber: number): Promise<TiffPage[]> {
  const ifd = file.ifds[ifdNumber];
  if (ifd === undefined) throw slideDamaged(`plane ${ifdNumber} of ${file.ifds.length} directories`);
  const pages = [await readPage(ifd, file.layout.littleEndian)];
  for (const sub of await readSubIfds(file, ifd)) pages.push(await readPage(sub, file.layout.littleEndian));
  return pages.sort((a, b) => b.widthPx - a.widthPx);
}

function physicalSize(pixels: Pixels): { xUm: number; yUm: number } | null {
  const xUm = lengthUm(pixels['@PhysicalSizeX'], pixels['@PhysicalSizeXUnit']);
  const yUm = lengthUm(pixels['@PhysicalSizeY'], pixels['@PhysicalSizeYUnit']);
  return xUm === null || yUm === null ? null : { xUm, yUm };
}

function lengthUm(text: string | undefined, unit: string | undefined): number | null {
  const value = Number.parseFloat(text ?? '') * (UNIT_UM.get(unit ?? 'µm') ?? Number.NaN);
  return value > 0 ? value : null;
}
