import { XMLParser } from 'fast-xml-parser';
import { CodecError } from '../../codec/codec-error.ts';
import { readJpegHeader } from '../../codec/jpeg-stream.ts';
import { formatUnsupported, slideDamaged } from '../slide-errors.ts';
import { pageLevel } from './level.ts';
import { TAG } from './tags.ts';
import type { TiffFile } from './tiff-file.ts';
import { readPage, type TiffPage } from './tiff-page.ts';
import type { EmbeddedImage, TiffSlideLayout } from './tiff-source.ts';

const EMBEDDED_NAMES: ReadonlyMap<string, string> = new Map([
  ['LABELIMAGE', 'label'],
  ['MACROIMAGE', 'macro'],
]);

/** Philips names its software and writes its metadata as a DataObject document. */
export function isPhilips(description: string | null, software: string | null): boolean {
  return software?.startsWith('Philips') === true && description?.includes('DPUfsImport') === true;
}

/**
 * Philips TIFF: tiled directories are levels whose sizes are padded to whole tiles; the true ones follow from the
 * pixel spacings. Tiles without tissue are not stored. Label and macro are JPEGs in base64 inside the XML, or stripped
 * directories named `Label` and `Macro`. Reference: OpenSlide, openslide-vendor-philips.c.
 */
export async function readPhilips(file: TiffFile, description: string): Promise<TiffSlideLayout> {
  const attributes = readAttributes(description);
  const pages: TiffPage[] = [];
  const associated = new Map<string, TiffPage>();
  for (const ifd of file.ifds) {
    const page = await readPage(ifd, file.layout.littleEndian);
    if (page.tiled) pages.push(page);
    else {
      const name = /^(Label|Macro)/.exec((await ifd.text(TAG.imageDescription, 1 << 28)) ?? '')?.[1]?.toLowerCase();
      if (name !== undefined) associated.set(name, page);
    }
  }
  const finest = pages.sort((a, b) => b.widthPx - a.widthPx)[0];
  if (finest === undefined) throw formatUnsupported('strips instead of tiles');
  const spacings = attributes.spacingsMm;
  const levels = pages.map((page, index) => pageLevel(file.source, page, trueSize(finest, page, spacings, index)));
  const first = spacings[0];
  const embedded = new Map([...attributes.images].filter(([name]) => !associated.has(name)));
  return {
    vendor: 'philips',
    levels,
    associated,
    embedded,
    mpp: first === undefined ? null : { xUm: first.xMm * 1000, yUm: first.yMm * 1000 },
    objective: null,
    warnings: [],
    sparse: true,
  };
}

interface Spacing {
  readonly xMm: number;
  readonly yMm: number;
}

/** The directory's own size where the spacings do not say: rather a padded edge than a wrong scale. */
function trueSize(
  finest: TiffPage,
  page: TiffPage,
  spacings: readonly Spacing[],
  index: number,
): { widthPx: number; heightPx: number } {
  const base = spacings[0];
  const own = spacings[index];
  if (index === 0 || base === undefined || own === undefined) return page;
  return {
    widthPx: Math.max(1, Math.floor(finest.widthPx / Math.round(own.xMm / base.xMm))),
    heightPx: Math.max(1, Math.floor(finest.heightPx / Math.round(own.yMm / base.yMm))),
  };
}

interface PhilipsAttributes {
  readonly spacingsMm: readonly Spacing[];
  readonly images: ReadonlyMap<string, EmbeddedImage>;
}

/** Walks the DataObject tree for pixel spacings, in document order, and embedded images. */
function readAttributes(description: string): PhilipsAttributes {
  let document: unknown;
  try {
    const parser = new XMLParser({
      ignoreAttributes: false,
      attributeNamePrefix: '@',
      parseTagValue: false,
      processEntities: false,
    });
    document = parser.parse(description);
  } catch (error) {
    throw slideDamaged('Philips XML does not parse', error);
  }
  const spacingsMm: Spacing[] = [];
  const images = new Map<string, EmbeddedImage>();
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) {
      for (const item of node) visit(item);
    } else if (typeof node === 'object' && node !== null) {
      const own = attributesOf(node);
      const image = embeddedImage(own);
      if (image !== null) images.set(image.name, image);
      const spacing = own.get('PIXEL_SPACING');
      // The scanned image states its spacing once and each representation again: only the latter are levels.
      if (spacing !== undefined && own.has('PIIM_PIXEL_DATA_REPRESENTATION_NUMBER'))
        spacingsMm.push(parseSpacing(spacing));
      for (const value of Object.values(node)) visit(value);
    }
  };
  visit(document);
  return { spacingsMm: spacingsMm.filter(({ xMm, yMm }) => xMm > 0 && yMm > 0), images };
}

/** The named values directly below a DataObject, DICOM_ prefixes dropped. */
function attributesOf(node: object): ReadonlyMap<string, string> {
  const children: unknown = 'Attribute' in node ? node.Attribute : [];
  const found = new Map<string, string>();
  for (const child of Array.isArray(children) ? children : [children]) {
    if (typeof child !== 'object' || child === null || !('@Name' in child) || !('#text' in child)) continue;
    found.set(String(child['@Name']).replace(/^DICOM_/, ''), String(child['#text']));
  }
  return found;
}

/** DICOM order: row spacing (y) first. */
function parseSpacing(text: string): Spacing {
  const [yMm = 0, xMm = 0] = text.replaceAll('"', '').trim().split(/\s+/).map(Number.parseFloat);
  return { xMm, yMm };
}

function embeddedImage(attributes: ReadonlyMap<string, string>): (EmbeddedImage & { name: string }) | null {
  const name = EMBEDDED_NAMES.get(attributes.get('PIM_DP_IMAGE_TYPE') ?? '');
  const data = attributes.get('PIM_DP_IMAGE_DATA');
  if (name === undefined || data === undefined) return null;
  const bytes = new Uint8Array(Buffer.from(data, 'base64'));
  try {
    const { widthPx, heightPx } = readJpegHeader(bytes);
    return { name, widthPx, heightPx, bytes };
  } catch (error) {
    if (error instanceof CodecError) return null;
    throw error;
  }
}
