import { basename, resolve } from 'node:path';
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { AppError, type ErrorPayload, hasCode, toErrorPayload } from '../../../src-shared/errors.ts';
import type { ExtractionForecast, ExtractionRequest } from '../../../src-shared/model/extraction.ts';
import type { JobId, RunId, SlideId } from '../../../src-shared/model/ids.ts';
import { DEFAULT_GRID, DEFAULT_TISSUE, type Precision } from '../../../src-shared/model/run.ts';
import type { StainFit } from '../../../src-shared/model/stain.ts';
import type { Engine } from '../../engine/engine.ts';
import type { ListedSlide } from '../../engine/extract/slide-list.ts';
import { abortOnSignal } from '../abort-on-signal.ts';
import { awaitJob } from '../await-job.ts';
import { EXIT } from '../exit-codes.ts';
import { chooseTargets } from '../extraction/choose-targets.ts';
import { listSlides, parseShard, type Shard, shardFolder, shardOf } from '../extraction/slide-list.ts';
import { openEngine } from '../open-engine.ts';
import { storeFolder } from '../store-folder.ts';
import { formatBytes, formatDuration, formatError, type Terminal } from '../terminal.ts';
import { type Finish, newCommand, numberWithin, runs, STORE_OPTION } from './command.ts';

interface Options {
  readonly backbone: string;
  readonly store?: string;
  readonly mpp: number;
  readonly tileUm: number;
  readonly strideUm?: number;
  readonly minTissue: number;
  readonly slideMpp?: number;
  readonly precision: Precision;
  readonly stain: 'none' | StainFit['method'];
  readonly stainReference?: string;
  readonly threads: number;
  readonly shard?: Shard;
  readonly dryRun: boolean;
}

export function extractCommand(finish: Finish): Command {
  const command = newCommand('extract', 'compute the features of a whole archive by several backbones in one pass')
    .argument('<folder|list.csv>', 'folder of slides, or a table with a column wsi, perhaps mpp, and label columns')
    .requiredOption('--backbone <names>', 'backbones or .onnx files, each perhaps with a cut: a,b@layer3')
    .option(...STORE_OPTION)
    .option('--mpp <µm>', 'resolution the model sees, µm per pixel', numberWithin(0.05, 50), DEFAULT_GRID.mpp)
    .option('--tile-um <µm>', 'side of a tile', numberWithin(4, 10_000), DEFAULT_GRID.tileUm)
    .option('--stride-um <µm>', 'distance between tiles (default: side of a tile)', numberWithin(1, 10_000))
    .option(
      '--min-tissue <0..1>',
      'part of a tile that must be tissue',
      numberWithin(0, 1),
      DEFAULT_GRID.minTissueFraction,
    )
    .option('--slide-mpp <µm>', 'pixel size of slides that do not state it', numberWithin(0.01, 100))
    .option('--precision <kind>', 'float32, or float16 for half the room', oneOf(['float32', 'float16']), 'float32')
    .option(
      '--stain <method>',
      'stain normalisation: none, macenko, reinhard',
      oneOf(['none', 'macenko', 'reinhard']),
      'none',
    )
    .option('--stain-reference <image>', 'image whose colours the slides are brought to (reinhard needs one)')
    .option('--threads <number>', 'threads for the model; 0 = all cores', numberWithin(0, 1024, 'integer'), 0)
    .option('--shard <i/n>', 'take every n-th slide from the i-th, into a store of its own (see merge)', shard)
    .option('--dry-run', 'say what it would take, and stop', false);
  return runs<Options>(command, finish, extract);
}

function oneOf(names: readonly string[]): (text: string) => string {
  return (text) => {
    if (names.includes(text)) return text;
    throw new InvalidArgumentError(`It must be one of: ${names.join(', ')}.`);
  };
}

function shard(text: string): Shard {
  const parsed = parseShard(text);
  if (parsed === null) throw new InvalidArgumentError('It must be like 2/4: the second of four shards.');
  return parsed;
}

async function extract(options: Options, terminal: Terminal, [place = '']: readonly string[]): Promise<number> {
  const whole = await listSlides(place);
  const listed = options.shard === undefined ? whole : shardOf(whole, options.shard);
  const folder = storeFolder(options.store);
  const own = options.shard === undefined ? folder : shardFolder(folder, options.shard);
  const engine = await openEngine(own, options.threads);
  try {
    return await abortOnSignal((signal) => extractAll(engine, options, terminal, listed, signal));
  } finally {
    await engine.close();
  }
}

/** A slide that was left out. */
interface Quarantined {
  readonly slide: string;
  readonly error: ErrorPayload;
}

interface Done extends Omit<ListedSlide, 'path' | 'mppUm'> {
  readonly slide: string;
  readonly slideId: SlideId;
  readonly tiles: number;
  /** Tiles that were still to do for at least one backbone. */
  readonly tilesComputed: number;
  readonly seconds: number;
  readonly tilesPerSecond: number | null;
  readonly runIds: readonly RunId[];
}

async function extractAll(
  engine: Engine,
  options: Options,
  terminal: Terminal,
  listed: readonly ListedSlide[],
  signal: AbortSignal,
): Promise<number> {
  const targets = await chooseTargets(engine, options.backbone);
  const stain = await stainOf(options);
  const quarantined: Quarantined[] = [];
  const leaveOut = (slide: string, error: ErrorPayload): void => {
    quarantined.push({ slide, error });
    terminal.note(`${basename(slide)}: left out. ${formatError(new AppError(error.code, error.message, error))}`);
  };
  const opened = await openAll(engine, listed, options.slideMpp ?? null, leaveOut, signal);
  const request: ExtractionRequest = {
    slideIds: [...opened.keys()],
    targets,
    grid: {
      mpp: options.mpp,
      tileUm: options.tileUm,
      strideUm: options.strideUm ?? options.tileUm,
      minTissueFraction: options.minTissue,
    },
    tissue: DEFAULT_TISSUE,
    precision: options.precision,
    stain,
  };
  const started = options.dryRun
    ? { forecast: await engine.api.forecastExtraction(request), jobs: [] }
    : await engine.api.startExtraction(request);
  const { forecast } = started;
  for (const { slideId, error } of forecast.refused) leaveOut(opened.get(slideId)?.path ?? slideId, error);
  terminal.note(describeForecast(forecast));
  const done: Done[] = [];
  const pace = new Pace(forecast);
  for (const [index, { slideId, jobId }] of started.jobs.entries()) {
    const slide = opened.get(slideId);
    if (slide === undefined) continue;
    try {
      done.push(
        await awaitSlide(
          engine,
          slide,
          slideId,
          jobId,
          `[${index + 1}/${started.jobs.length}]`,
          pace,
          terminal,
          signal,
        ),
      );
    } catch (error) {
      if (hasCode(error, 'Cancelled', 'EngineCrashed', 'DiskFull', 'StoreDamaged')) throw error;
      leaveOut(slide.path, toErrorPayload(error));
    }
  }
  terminal.printJson({ forecast, done, quarantined });
  if (!options.dryRun) terminal.print(`${done.length} slides done, ${quarantined.length} left out.`);
  if (quarantined.length === 0) return EXIT.ok;
  return quarantined.length === listed.length ? EXIT.failed : EXIT.partlyFailed;
}

/** The colours to bring the slides to: a reference image's, else Macenko's published ones. */
async function stainOf({ stain, stainReference }: Options): Promise<StainFit | null> {
  if (stain === 'none') return null;
  const { targetStain } = await import('../../engine/extract/stain/fit-slide.ts');
  return await targetStain(stain, stainReference === undefined ? null : resolve(stainReference));
}

/** Opens every slide; those that cannot be opened are left out. The files of one DICOM series count once. */
async function openAll(
  engine: Engine,
  listed: readonly ListedSlide[],
  slideMppUm: number | null,
  leaveOut: (slide: string, error: ErrorPayload) => void,
  signal: AbortSignal,
): Promise<ReadonlyMap<SlideId, ListedSlide>> {
  const opened = new Map<SlideId, ListedSlide>();
  for (const slide of listed) {
    if (signal.aborted) throw new AppError('Cancelled', 'Cancelled.');
    try {
      const { id, mpp } = await engine.api.openSlide(engine.grant(slide.path));
      const mppUm = slide.mppUm ?? (mpp === null ? slideMppUm : null);
      if (mppUm !== null) await engine.api.setSlideMpp(id, mppUm);
      if (!opened.has(id)) opened.set(id, slide);
    } catch (error) {
      leaveOut(slide.path, toErrorPayload(error));
    }
  }
  return opened;
}

function describeForecast({ slides, bytesNeeded, bytesFree }: ExtractionForecast): string {
  const tiles = slides.reduce((sum, { tilesLeft }) => sum + tilesLeft, 0);
  return `${slides.length} slides, ${tiles} tiles to compute; about ${formatBytes(bytesNeeded)} of ${formatBytes(bytesFree)} free.`;
}

/** How fast the archive goes, and how long it still takes. */
class Pace {
  readonly #tilesLeft: Map<SlideId, number>;
  readonly #tileCounts: ReadonlyMap<SlideId, number>;
  readonly #startedMs = performance.now();
  #tilesDone = 0;

  constructor({ slides }: ExtractionForecast) {
    this.#tilesLeft = new Map(slides.map(({ slideId, tilesLeft }) => [slideId, tilesLeft]));
    this.#tileCounts = new Map(slides.map(({ slideId, tileCount }) => [slideId, tileCount]));
  }

  tileCountOf(slideId: SlideId): number {
    return this.#tileCounts.get(slideId) ?? 0;
  }

  /** Tiles of a slide that are still to do. */
  tilesOf(slideId: SlideId): number {
    return this.#tilesLeft.get(slideId) ?? 0;
  }

  finish(slideId: SlideId): void {
    this.#tilesDone += this.tilesOf(slideId);
    this.#tilesLeft.delete(slideId);
  }

  /** Null before the first slide is through. */
  secondsLeft(): number | null {
    const left = [...this.#tilesLeft.values()].reduce((sum, tiles) => sum + tiles, 0);
    const spent = (performance.now() - this.#startedMs) / 1000;
    return this.#tilesDone === 0 ? null : (left * spent) / this.#tilesDone;
  }
}

async function awaitSlide(
  engine: Engine,
  slide: ListedSlide,
  slideId: SlideId,
  jobId: JobId | null,
  place: string,
  pace: Pace,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Done> {
  const name = basename(slide.path);
  const tiles = pace.tilesOf(slideId);
  let seconds = 0;
  if (jobId !== null) {
    const bar = terminal.progress(`${place} ${name}`);
    const startedMs = performance.now();
    try {
      await awaitJob(engine, jobId, (job) => bar.update(job.progress), signal);
    } finally {
      bar.stop();
    }
    seconds = (performance.now() - startedMs) / 1000;
  }
  pace.finish(slideId);
  const speed = seconds > 0 ? tiles / seconds : null;
  const left = pace.secondsLeft();
  const parts =
    speed === null
      ? [`${pace.tileCountOf(slideId)} tiles, there already`]
      : [`${tiles} tiles`, `${speed.toFixed(1)} tiles/s`];
  if (left !== null && left > 0) parts.push(`${formatDuration(left)} left`);
  terminal.print(`${place} ${name}: ${parts.join(', ')}`);
  const runIds = (await engine.api.listRuns(slideId)).filter(({ state }) => state === 'done').map(({ id }) => id);
  const { caseId, labels } = slide;
  return {
    slide: slide.path,
    slideId,
    caseId,
    labels,
    tiles: pace.tileCountOf(slideId),
    tilesComputed: tiles,
    seconds,
    tilesPerSecond: speed,
    runIds,
  };
}
