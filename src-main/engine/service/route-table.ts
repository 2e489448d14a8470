import type { EncodedImage } from '../slide/slide-source.ts';
import type { RouteBody, RouteTable } from '../tile/handler.ts';
import type { SlideImages } from '../tile/slide-images.ts';
import { tissuePng } from '../tissue/tissue-png.ts';
import type { ComparisonService } from './comparison-service.ts';
import type { Exports } from './exports.ts';
import type { FolderService } from './folder-service.ts';
import type { MapService } from './map-service.ts';
import type { SideBySideService } from './side-by-side-service.ts';
import type { SlideLibrary } from './slide-library.ts';
import type { TissueService } from './tissue-service.ts';

export interface RouteServices {
  readonly library: SlideLibrary;
  readonly folders: FolderService;
  readonly tissue: TissueService;
  readonly maps: MapService;
  readonly images: SlideImages;
  readonly exportsKept: Exports;
  readonly comparisons: ComparisonService;
  readonly sideBySide: SideBySideService;
}

/** An image that a slide's content hash makes unchangeable. */
const fixed = ({ bytes, mediaType }: EncodedImage): RouteBody => ({ bytes, mediaType, immutable: true });

/** What each route delivers. */
export function routeTable({
  library,
  folders,
  tissue,
  maps,
  images,
  exportsKept,
  comparisons,
  sideBySide,
}: RouteServices): RouteTable {
  return {
    tile: async ({ slideId, level, column, row }) =>
      fixed(await images.tile(slideId, await library.source(slideId), level, column, row)),
    correctedTile: async ({ slideId, ...at }) =>
      fixed(await images.correctedTile(slideId, await library.source(slideId), at, await library.colourLut(slideId))),
    colourLut: async ({ slideId }) => ({
      bytes: await library.colourLut(slideId),
      mediaType: 'application/octet-stream',
      immutable: true,
    }),
    thumbnail: async ({ slideId, maxPx }) =>
      fixed(await images.thumbnail(slideId, await library.source(slideId), maxPx)),
    foundThumbnail: async ({ grant, maxPx }) => {
      const { bytes, mediaType } = await folders.thumbnail(grant, maxPx);
      return { bytes, mediaType, immutable: false };
    },
    associated: async ({ slideId, name }) => {
      const { bytes, mediaType } = await (await library.source(slideId)).associated(name);
      return { bytes, mediaType, immutable: false };
    },
    region: async ({ slideId, ...square }) =>
      fixed(await images.region(slideId, await library.source(slideId), square)),
    tissue: async ({ slideId, params }) => ({
      bytes: await tissuePng(await tissue.mask(slideId, params)),
      mediaType: 'image/png',
      immutable: false,
    }),
    mapValues: async ({ runId, spec, models }) => {
      const { values } = models === undefined ? await maps.get(runId, spec) : await maps.drawn(runId, spec, models);
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      return { bytes, mediaType: 'application/octet-stream', immutable: false };
    },
    mapDifference: async ({ a, b }) => {
      const values = await sideBySide.difference(a, b);
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      return { bytes, mediaType: 'application/octet-stream', immutable: false };
    },
    patch: async ({ comparisonId, sha256, maxPx }) => fixed(await comparisons.patch(comparisonId, sha256, maxPx)),
    download: async ({ exportId }) => {
      const { file, bytes } = await exportsKept.read(exportId);
      return { bytes, mediaType: file.mediaType, immutable: false, fileName: file.fileName };
    },
  };
}
