import { AppError } from '../../../../src-shared/errors.ts';
import type { SlideInfo, SlideLevel } from '../../../../src-shared/model/slide.ts';
import { encodePng } from '../../codec/png.ts';
import { slideDamaged } from '../slide-errors.ts';
import type { EncodedImage, RegionRequest, RgbImage, SlideSource } from '../slide-source.ts';
import { TiledLevels } from '../tiled-levels.ts';
import { browserJpeg, decodeFrame, frameCoding } from './frame-decoder.ts';
import { type FrameTable, frameTable } from './frame-table.ts';
import { type DicomInstance, pixelSpacingUm } from './instance.ts';
import { type TileMap, tileMap } from './tile-map.ts';

/** One tiled image of a series, in one file or in the parts of a concatenation. */
class DicomImage {
  readonly parts: readonly { readonly instance: DicomInstance; readonly frames: FrameTable }[];
  readonly map: TileMap;
  readonly first: DicomInstance;

  constructor(parts: readonly DicomInstance[]) {
    this.first = parts[0] as DicomInstance;
    frameCoding(this.first);
    this.map = tileMap(parts);
    this.parts = parts.map((instance) => ({ instance, frames: frameTable(instance) }));
  }

  /** The stored bytes of a tile with the instance they come from; null where the image has no frame there. */
  async stored(column: number, row: number): Promise<{ instance: DicomInstance; frame: Uint8Array } | null> {
    const index = this.map.frameOf(column, row);
    if (index < 0) return null;
    for (const { instance, frames } of this.parts) {
      const within = index - instance.frameOffset;
      if (within >= 0 && within < instance.frames) return { instance, frame: await frames.frame(within) };
    }
    throw slideDamaged(`frame ${index} lies in a part that is not in the folder`);
  }

  async rgb(column: number, row: number): Promise<RgbImage> {
    const stored = await this.stored(column, row);
    if (stored !== null) return decodeFrame(stored.instance, stored.frame);
    const { tileWidthPx: widthPx, tileHeightPx: heightPx } = this.first;
    return { widthPx, heightPx, data: new Uint8Array(widthPx * heightPx * 3).fill(255) };
  }
}

const ASSOCIATED_NAMES: ReadonlyMap<string, string> = new Map([
  ['THUMBNAIL', 'thumbnail'],
  ['LABEL', 'label'],
  ['OVERVIEW', 'macro'],
]);

/** A DICOM VL Whole Slide Microscopy series: each VOLUME image is a level. */
export class DicomSource implements SlideSource {
  readonly path: string;
  readonly info: SlideInfo;
  readonly #levels: readonly DicomImage[];
  readonly #associated: ReadonlyMap<string, DicomImage>;
  readonly #tiled: TiledLevels;
  readonly #instances: readonly DicomInstance[];

  /** Throws SlideDamaged, SlideFormatUnsupported where the instances do not make up a slide. */
  constructor(path: string, instances: readonly DicomInstance[]) {
    this.path = path;
    this.#instances = instances;
    const images = groupImages(instances);
    const volumes = images.filter((image) => !ASSOCIATED_NAMES.has(image.first.flavour));
    volumes.sort((a, b) => b.first.widthPx - a.first.widthPx);
    const levels = volumes.filter((image, index) => image.first.widthPx !== volumes[index - 1]?.first.widthPx);
    if (levels.length === 0) throw slideDamaged('a series with no slide image, only labels or thumbnails');
    this.#levels = levels;
    this.#associated = new Map(
      images.flatMap((image) => {
        const name = ASSOCIATED_NAMES.get(image.first.flavour);
        return name === undefined ? [] : [[name, image] as const];
      }),
    );
    this.info = slideInfo(levels, this.#associated, volumes.length - levels.length);
    this.#tiled = new TiledLevels(this.info.levels, (level, column, row) => this.#image(level).rgb(column, row));
  }

  async encodedTile(level: number, column: number, row: number): Promise<EncodedImage | null> {
    this.#tiled.checkTile(level, column, row);
    const image = this.#image(level);
    if (frameCoding(image.first) !== 'jpeg') return null;
    const stored = await image.stored(column, row);
    return stored === null ? null : { mediaType: 'image/jpeg', bytes: browserJpeg(stored.instance, stored.frame) };
  }

  readTile(level: number, column: number, row: number): Promise<RgbImage> {
    return this.#tiled.tile(level, column, row);
  }

  readLevelRegion(level: number, xPx: number, yPx: number, widthPx: number, heightPx: number): Promise<RgbImage> {
    return this.#tiled.readLevelRegion(level, xPx, yPx, widthPx, heightPx);
  }

  readRegion(request: RegionRequest, signal?: AbortSignal): Promise<RgbImage> {
    return this.#tiled.readRegion(request, signal);
  }

  async associated(name: string): Promise<EncodedImage> {
    const image = this.#associated.get(name);
    if (image === undefined) throw new AppError('NotFound', `This slide has no image named "${name}".`);
    const level = slideLevel(image, image);
    const whole = new TiledLevels([level], (_level, column, row) => image.rgb(column, row));
    const pixels = await whole.readLevelRegion(0, 0, 0, level.widthPx, level.heightPx);
    return { mediaType: 'image/png', bytes: await encodePng(pixels) };
  }

  async iccProfile(): Promise<Uint8Array | null> {
    const { header } = this.#image(0).first;
    const profile = iccElement(this.#image(0).first);
    if (profile === null) return null;
    return header.byteArray.slice(profile.dataOffset, profile.dataOffset + profile.length);
  }

  async close(): Promise<void> {
    this.#tiled.clear();
    await Promise.all(this.#instances.map((instance) => instance.source.close()));
  }

  #image(level: number): DicomImage {
    this.#tiled.level(level);
    return this.#levels[level] as DicomImage;
  }
}

/** Files of one concatenation become one image, its parts in frame order. */
function groupImages(instances: readonly DicomInstance[]): DicomImage[] {
  const groups = new Map<string, DicomInstance[]>();
  for (const [index, instance] of instances.entries()) {
    const key = instance.concatenationUid ?? `#${index}`;
    groups.set(key, [...(groups.get(key) ?? []), instance]);
  }
  return [...groups.values()].map((parts) => new DicomImage(parts.sort((a, b) => a.frameOffset - b.frameOffset)));
}

function slideInfo(
  levels: readonly DicomImage[],
  associated: ReadonlyMap<string, DicomImage>,
  dropped: number,
): SlideInfo {
  const finest = levels[0] as DicomImage;
  const { header, widthPx, heightPx, focalPlanes, opticalPaths } = finest.first;
  const spacing = pixelSpacingUm(header);
  const power = opticalPath(finest.first)?.floatString('x00480112') ?? 0;
  const coding = frameCoding(finest.first);
  const warnings = [
    ...(focalPlanes > 1 ? [`The slide has ${focalPlanes} focal planes; the middle one is shown.`] : []),
    ...(opticalPaths > 1 ? [`The slide has ${opticalPaths} optical paths; the first is shown.`] : []),
    ...(dropped > 0 ? [`${dropped} further images of the same size in this series are not shown.`] : []),
  ];
  return {
    widthPx,
    heightPx,
    levels: levels.map((image) => slideLevel(image, finest)),
    mpp: spacing === null ? null : { ...spacing, source: 'file' },
    objective: power > 0 ? power : null,
    vendor: 'dicom',
    reader: 'dicom',
    compression: coding,
    associated: [...associated].map(([name, image]) => ({
      name,
      widthPx: image.first.widthPx,
      heightPx: image.first.heightPx,
    })),
    hasIccProfile: iccElement(finest.first) !== null,
    warnings,
  };
}

function slideLevel(image: DicomImage, finest: DicomImage): SlideLevel {
  const { widthPx, heightPx, tileWidthPx, tileHeightPx } = image.first;
  return {
    widthPx,
    heightPx,
    downsample: (finest.first.widthPx / widthPx + finest.first.heightPx / heightPx) / 2,
    tileWidthPx,
    tileHeightPx,
    columns: image.map.columns,
    rows: image.map.rows,
  };
}

function opticalPath(instance: DicomInstance): DicomInstance['header'] | null {
  return instance.header.elements.x00480105?.items?.[0]?.dataSet ?? null;
}

function iccElement(instance: DicomInstance): { dataOffset: number; length: number } | null {
  return opticalPath(instance)?.elements.x00282000 ?? instance.header.elements.x00282000 ?? null;
}
