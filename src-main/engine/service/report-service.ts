import type { ExportedFile, ReportOptions } from '../../../src-shared/api/engine.ts';
import { AppError } from '../../../src-shared/errors.ts';
import type { RunId } from '../../../src-shared/model/ids.ts';
import type { MapSpec, ScoredTile } from '../../../src-shared/model/map.ts';
import type { Run } from '../../../src-shared/model/run.ts';
import { type ColourMapName, DEFAULT_COLOUR_MAP, isColourMapName } from '../../../src-shared/numeric/colour-maps.ts';
import { renderCaseReport } from '../report/case-report.ts';
import { renderFigureWithLegend } from '../report/figure-legend.ts';
import type { ReportGallery, ReportMap } from '../report/report-input.ts';
import { runRecord } from '../report/run-record.ts';
import { tilesCsv } from '../report/tiles-csv.ts';
import type { SlideSource } from '../slide/slide-source.ts';
import type { Store } from '../store/store.ts';
import type { SlideImages } from '../tile/slide-images.ts';
import { checkedSpec } from './checked-request.ts';
import type { Exports } from './exports.ts';
import type { MapService } from './map-service.ts';
import { pixelSizeInForce, type SlideLibrary } from './slide-library.ts';
import { HYALINE_VERSION, NOTICE } from './versions.ts';

const THUMBNAIL_PX = 1600;
const GALLERY_TILES = 10;
const GALLERY_TILE_PX = 224;
const FIGURE_PX = 1600;
const FIGURE_OPACITY = 0.75;

export interface ReportParts {
  readonly store: Store;
  readonly library: SlideLibrary;
  readonly maps: MapService;
  readonly images: SlideImages;
  readonly exportsKept: Exports;
}

/** What a finished run is exported as. File names never hold the slide's name: it may identify a patient. */
export class ReportService {
  readonly #parts: ReportParts;

  constructor(parts: ReportParts) {
    this.#parts = parts;
  }

  /** The case as PDF. Throws NotFound, InvalidRequest for an unfinished run, SlideMoved, DiskFull. */
  async pdf(runId: RunId, options: ReportOptions): Promise<ExportedFile> {
    const { library, images, maps, exportsKept } = this.#parts;
    const run = await this.#finishedRun(runId);
    const record = await library.record(run.slideId);
    const source = await library.source(run.slideId);
    const specs = options.maps.map(checkedSpec);
    const colourMap = await this.#colourMap();
    const drawn: ReportMap[] = [];
    for (const spec of specs) drawn.push({ ...(await maps.get(runId, spec)), colourMap });
    const bytes = await renderCaseReport({
      createdAtMs: Date.now(),
      appVersion: HYALINE_VERSION,
      notice: NOTICE,
      heading: options.heading,
      remarks: options.remarks,
      viewedThroughProfile: (await this.#parts.store.getSetting('ui.colourManaged')) === 'true',
      includeSlideName: options.includeSlideName,
      slide: { name: record.name, sizeBytes: record.sizeBytes, info: record.info, mpp: pixelSizeInForce(record) },
      thumbnail: (await images.thumbnail(run.slideId, source, THUMBNAIL_PX)).bytes,
      run,
      grid: (await maps.gridOf(runId)).grid,
      maps: drawn,
      galleries: await this.#galleries(run, specs, source),
    });
    return await exportsKept.add(`hyaline-case-${shortName(run)}.pdf`, 'application/pdf', bytes);
  }

  /** All tiles with their places and the values of the maps, as CSV. Throws as `pdf`. */
  async csv(runId: RunId, specs: readonly MapSpec[]): Promise<ExportedFile> {
    const { maps, exportsKept } = this.#parts;
    const run = await this.#finishedRun(runId);
    const drawn: ReportMap[] = [];
    for (const spec of specs) drawn.push({ ...(await maps.get(runId, spec)), colourMap: DEFAULT_COLOUR_MAP });
    const text = tilesCsv(await maps.gridOf(runId), run.provenance.mppUm, drawn);
    return await exportsKept.add(`hyaline-tiles-${shortName(run)}.csv`, 'text/csv', new TextEncoder().encode(text));
  }

  /** One map over the slide with its legend, scale bar and notice, as PNG. Throws as `pdf`. */
  async figure(runId: RunId, asked: MapSpec): Promise<ExportedFile> {
    const { library, images, maps, exportsKept } = this.#parts;
    const run = await this.#finishedRun(runId);
    const spec = checkedSpec(asked);
    const source = await library.source(run.slideId);
    const bytes = await renderFigureWithLegend({
      ...(await maps.get(runId, spec)),
      thumbnail: (await images.thumbnail(run.slideId, source, THUMBNAIL_PX)).bytes,
      slideWidthPx: source.info.widthPx,
      slideHeightPx: source.info.heightPx,
      mppUm: run.provenance.mppUm,
      colourMap: await this.#colourMap(),
      maxPx: FIGURE_PX,
      opacity: FIGURE_OPACITY,
      notice: NOTICE,
    });
    return await exportsKept.add(`hyaline-map-${spec.kind}-${shortName(run)}.png`, 'image/png', bytes);
  }

  /** Everything that made the run and its maps, as JSON; the slide's name stays out. Throws as `pdf`. */
  async record(runId: RunId, specs: readonly MapSpec[]): Promise<ExportedFile> {
    const { library, maps, exportsKept } = this.#parts;
    const run = await this.#finishedRun(runId);
    const { name, sizeBytes, info } = await library.record(run.slideId);
    const text = runRecord({
      createdAtMs: Date.now(),
      appVersion: HYALINE_VERSION,
      notice: NOTICE,
      slide: { name, sizeBytes, info },
      includeSlideName: false,
      run,
      grid: (await maps.gridOf(runId)).grid,
      maps: await Promise.all(specs.map(async (spec) => (await maps.get(runId, spec)).description)),
    });
    return await exportsKept.add(
      `hyaline-run-${shortName(run)}.json`,
      'application/json',
      new TextEncoder().encode(text),
    );
  }

  /** The tiles most like each chosen tile; where none was chosen, those closest to the slide's average. */
  async #galleries(run: Run, specs: readonly MapSpec[], source: SlideSource): Promise<ReportGallery[]> {
    const { maps } = this.#parts;
    const galleries: ReportGallery[] = [];
    for (const spec of specs) {
      if (spec.kind !== 'similarity') continue;
      galleries.push({
        title: 'Tiles most like the chosen one',
        explanation: 'Ranked by cosine similarity of their features to the framed tile; 1 means the same direction.',
        tiles: await this.#pictures(run, source, await maps.similar(run.id, spec.tileIndex, GALLERY_TILES)),
      });
    }
    if (galleries.length > 0) return galleries;
    const { typical, unusual } = await maps.extremes(run.id, GALLERY_TILES);
    return [
      {
        title: 'Most typical tiles',
        explanation: 'Closest to the average of all tiles, by cosine similarity of their features to that average.',
        tiles: await this.#pictures(run, source, typical),
      },
      {
        title: 'Most unusual tiles',
        explanation: 'Furthest from that average. Unusual to the backbone: artefacts count as much as tissue.',
        tiles: await this.#pictures(run, source, unusual),
      },
    ];
  }

  async #pictures(run: Run, source: SlideSource, tiles: readonly ScoredTile[]): Promise<ReportGallery['tiles']> {
    const { images } = this.#parts;
    return await Promise.all(
      tiles.map(async ({ tile, score }) => {
        const square = { x0Px: tile.x0Px, y0Px: tile.y0Px, sizeLevel0Px: tile.sizeLevel0Px, outPx: GALLERY_TILE_PX };
        const { bytes: image } = await images.region(run.slideId, source, square);
        return { tile, score, image };
      }),
    );
  }

  async #finishedRun(runId: RunId): Promise<Run> {
    const run = await this.#parts.store.getRun(runId);
    if (run === null) throw new AppError('NotFound', 'This analysis no longer exists.');
    if (run.state !== 'done') {
      throw new AppError('InvalidRequest', 'This analysis is not finished yet.', {
        advice: 'Let it finish, or resume it, before exporting.',
      });
    }
    return run;
  }

  /** The colours the user looks at maps with. */
  async #colourMap(): Promise<ColourMapName> {
    const chosen = await this.#parts.store.getSetting('ui.colourMap');
    return chosen !== null && isColourMapName(chosen) ? chosen : DEFAULT_COLOUR_MAP;
  }
}

/** Enough of the slide's fingerprint to tell files apart, and the backbone. */
function shortName(run: Run): string {
  return `${run.slideId.slice(0, 8)}-${run.backboneName.replace(/[^\w.-]+/g, '-')}`;
}
