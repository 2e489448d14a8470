import type { MapDescription } from '../../../src-shared/model/map.ts';
import { reproducibility, reproducibilityText } from '../../../src-shared/model/reproducibility.ts';
import type { Run, TileGrid } from '../../../src-shared/model/run.ts';
import type { SlideInfo } from '../../../src-shared/model/slide.ts';

export interface RunRecordInput {
  readonly createdAtMs: number;
  readonly appVersion: string;
  readonly notice: string;
  readonly slide: { readonly name: string; readonly sizeBytes: number; readonly info: SlideInfo };
  /** The file name may identify a patient: left out unless asked for. */
  readonly includeSlideName: boolean;
  readonly run: Run;
  readonly grid: TileGrid;
  readonly maps: readonly MapDescription[];
}

/** Version of the record's layout; raised when a field changes its meaning. */
export const RUN_RECORD_VERSION = 1;

/**
 * `run.json`: everything that made a result, readable by programs. Level-0 pixels are `…Px`, micrometres `…Um`.
 * Same input, same bytes (keys in a fixed order, ends with a newline).
 */
export function runRecord(input: RunRecordInput): string {
  const { run, slide, grid } = input;
  const record = {
    format: 'hyaline-run',
    formatVersion: RUN_RECORD_VERSION,
    createdAt: new Date(input.createdAtMs).toISOString(),
    application: { name: 'Hyaline', version: input.appVersion },
    notice: input.notice,
    slide: {
      id: run.slideId,
      ...(input.includeSlideName ? { name: slide.name } : {}),
      sizeBytes: slide.sizeBytes,
      widthPx: slide.info.widthPx,
      heightPx: slide.info.heightPx,
      vendor: slide.info.vendor,
      compression: slide.info.compression,
      objective: slide.info.objective,
      hasIccProfile: slide.info.hasIccProfile,
      warnings: slide.info.warnings,
    },
    run: {
      id: run.id,
      state: run.state,
      tileCount: run.tileCount,
      tilesDone: run.tilesDone,
      startedAt: new Date(run.createdAtMs).toISOString(),
      finishedAt: run.finishedAtMs === null ? null : new Date(run.finishedAtMs).toISOString(),
      secondsSpent: run.secondsSpent,
    },
    provenance: run.provenance,
    repeatable: { level: reproducibility(run.provenance), sentence: reproducibilityText(run.provenance) },
    grid: {
      id: grid.id,
      columns: grid.columns,
      rows: grid.rows,
      tileLevel0Px: grid.tileLevel0Px,
      strideLevel0Px: grid.strideLevel0Px,
      tileCount: grid.tileCount,
      droppedCount: grid.droppedCount,
    },
    maps: input.maps.map(({ runId: _, ...map }) => map),
  };
  return `${JSON.stringify(record, null, 2)}\n`;
}
