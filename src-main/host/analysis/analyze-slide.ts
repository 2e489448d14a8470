import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { ReportOptions } from '../../../src-shared/api/engine.ts';
import { routes } from '../../../src-shared/api/routes.ts';
import { AppError, type ErrorPayload, fromErrorPayload } from '../../../src-shared/errors.ts';
import type { BackboneCard } from '../../../src-shared/model/backbone.ts';
import type { ExportId, RunId } from '../../../src-shared/model/ids.ts';
import type { MapSpec } from '../../../src-shared/model/map.ts';
import type { GridSpec, Run, TissueParams } from '../../../src-shared/model/run.ts';
import type { Slide } from '../../../src-shared/model/slide.ts';
import type { Engine } from '../../engine/engine.ts';
import { awaitJob } from '../await-job.ts';
import type { Terminal } from '../terminal.ts';

export interface AnalyzeOptions {
  readonly backbone: BackboneCard;
  readonly cut: string | null;
  readonly grid: GridSpec;
  readonly tissue: TissueParams;
  /** Pixel size to use where the file states none (µm at level 0). */
  readonly slideMppUm: number | null;
  readonly clusters: number;
  readonly seed: number;
  readonly report: Pick<ReportOptions, 'heading' | 'includeSlideName'>;
}

/** What one slide led to, as `--json` prints it. */
export interface SlideResult {
  readonly slide: string;
  readonly folder: string;
  readonly runId: RunId;
  readonly tiles: number;
  readonly secondsSpent: number;
  /** Relative to `folder`. */
  readonly files: readonly string[];
}

/**
 * Analyses one slide and writes case.pdf, tiles.csv, maps/*.png and run.json into a folder. A file appears under its
 * name only when it is whole; features stay in the store, so a second call is quick.
 */
export async function analyzeSlide(
  engine: Engine,
  path: string,
  folder: string,
  options: AnalyzeOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<SlideResult> {
  const slide = await openWithPixelSize(engine, path, options.slideMppUm);
  const run = await extract(engine, slide, options, terminal, signal);
  const maps: readonly MapSpec[] = [{ kind: 'pca' }, { kind: 'clusters', k: options.clusters, seed: options.seed }];
  const files: string[] = [];
  const write = async (name: string, bytes: Uint8Array): Promise<void> => {
    await writeWhole(join(folder, name), bytes);
    files.push(name);
  };
  for (const spec of maps) {
    await write(`maps/${spec.kind}.png`, await download(engine, (await engine.api.exportMapFigure(run.id, spec)).id));
  }
  const report = await engine.api.exportReport(run.id, { ...options.report, maps, remarks: '' });
  await write('case.pdf', await download(engine, report.id));
  await write('tiles.csv', await download(engine, (await engine.api.exportTilesCsv(run.id, maps)).id));
  await write('run.json', await download(engine, (await engine.api.exportRunRecord(run.id, maps)).id));
  const { tileCount: tiles, secondsSpent } = run;
  return { slide: path, folder, runId: run.id, tiles, secondsSpent, files };
}

async function openWithPixelSize(engine: Engine, path: string, slideMppUm: number | null): Promise<Slide> {
  const slide = await engine.api.openSlide(engine.grant(resolve(path)));
  if (slide.mpp !== null) {
    return slide;
  }
  if (slideMppUm === null) {
    throw new AppError('MppUnknown', 'The file does not state its pixel size.', {
      advice: 'Give it in micrometres per pixel with --slide-mpp.',
    });
  }
  return engine.api.setSlideMpp(slide.id, slideMppUm);
}

async function extract(
  engine: Engine,
  slide: Slide,
  options: AnalyzeOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Run> {
  const { backbone, cut, grid, tissue } = options;
  const { runId, jobId } = await engine.api.startAnalysis({
    slideId: slide.id,
    backboneId: backbone.id,
    cut,
    grid,
    tissue,
  });
  if (jobId !== null) {
    const bar = terminal.progress(slide.name);
    try {
      await awaitJob(engine, jobId, (job) => bar.update(job.progress), signal);
    } finally {
      bar.stop();
    }
  }
  const run = (await engine.api.listRuns(slide.id)).find(({ id }) => id === runId);
  if (run === undefined) {
    throw new AppError('NotFound', 'The run is not in the store any more.');
  }
  return run;
}

async function download(engine: Engine, id: ExportId): Promise<Uint8Array> {
  const { status, body } = await engine.handle({ method: 'GET', path: routes.download(id) });
  if (status !== 200) {
    throw fromErrorPayload(JSON.parse(new TextDecoder().decode(body)) as ErrorPayload);
  }
  return body;
}

async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const partial = join(dirname(path), `.${basename(path)}.partial`);
  try {
    await writeFile(partial, bytes);
    await rename(partial, path);
  } catch (cause) {
    await rm(partial, { force: true });
    const full = cause instanceof Error && 'code' in cause && cause.code === 'ENOSPC';
    throw new AppError(full ? 'DiskFull' : 'FileUnreadable', `${basename(path)} cannot be written.`, {
      advice: full ? 'Free some space and run the command again.' : 'Check that you may write to the --out folder.',
      cause,
    });
  }
}
