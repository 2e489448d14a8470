import { basename, extname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { hasCode, toErrorPayload } from '../../../src-shared/errors.ts';
import { DEFAULT_GRID, DEFAULT_TISSUE, type GridSpec, type TissueParams } from '../../../src-shared/model/run.ts';
import type { Engine } from '../../engine/engine.ts';
import { abortOnSignal } from '../abort-on-signal.ts';
import { type AnalyzeOptions, analyzeSlide, type SlideResult } from '../analysis/analyze-slide.ts';
import { chooseBackbone } from '../analysis/choose-backbone.ts';
import { EXIT } from '../exit-codes.ts';
import { openEngine } from '../open-engine.ts';
import { storeFolder } from '../store-folder.ts';
import { formatDuration, formatError, type Terminal } from '../terminal.ts';
import { type Finish, newCommand, numberWithin, runs, STORE_OPTION } from './command.ts';

interface Options {
  readonly backbone: string;
  readonly cut?: string;
  readonly out: string;
  readonly store?: string;
  readonly mpp: number;
  readonly tileUm: number;
  readonly strideUm?: number;
  readonly minTissue: number;
  readonly maskMpp: number;
  readonly saturation?: number;
  readonly slideMpp?: number;
  readonly clusters: number;
  readonly seed: number;
  readonly threads: number;
  readonly heading: string;
  readonly includeSlideName: boolean;
}

export function analyzeCommand(finish: Finish): Command {
  const command = newCommand('analyze', 'run a backbone over slides and write report, tile table and maps')
    .argument('<slides...>', 'slide files; several get a folder each')
    .requiredOption('--backbone <name|file>', 'name of a backbone, or an .onnx file')
    .requiredOption('--out <folder>', 'where case.pdf, tiles.csv, maps/*.png and run.json go')
    .option(...STORE_OPTION)
    .option('--cut <name>', 'layer at which the backbone is cut (default: its last feature layer)')
    .option('--mpp <µm>', 'resolution the model sees, µm per pixel', numberWithin(0.05, 50), DEFAULT_GRID.mpp)
    .option('--tile-um <µm>', 'side of a tile', numberWithin(4, 10_000), DEFAULT_GRID.tileUm)
    .option('--stride-um <µm>', 'distance between tiles (default: side of a tile)', numberWithin(1, 10_000))
    .option(
      '--min-tissue <0..1>',
      'part of a tile that must be tissue',
      numberWithin(0, 1),
      DEFAULT_GRID.minTissueFraction,
    )
    .option('--mask-mpp <µm>', 'resolution of the tissue mask', numberWithin(1, 64), DEFAULT_TISSUE.maskMpp)
    .option('--saturation <0..1>', 'tissue threshold on saturation (default: Otsu)', numberWithin(0, 1))
    .option('--slide-mpp <µm>', 'pixel size of slides that do not state it', numberWithin(0.01, 100))
    .option('--clusters <number>', 'clusters of the cluster map', numberWithin(2, 12, 'integer'), 6)
    .option('--seed <number>', 'seed of the clustering', numberWithin(0, 2 ** 31 - 1, 'integer'), 1)
    .option('--threads <number>', 'threads for the model; 0 = all cores', numberWithin(0, 1024, 'integer'), 0)
    .option('--heading <text>', 'heading of the report', '')
    .option('--include-slide-name', 'print the file name in the report', false);
  return runs<Options>(command, finish, analyze);
}

async function analyze(options: Options, terminal: Terminal, slides: readonly string[]): Promise<number> {
  const engine = await openEngine(storeFolder(options.store), options.threads);
  try {
    return await abortOnSignal((signal) => analyzeAll(engine, options, terminal, slides, signal));
  } finally {
    await engine.close();
  }
}

async function analyzeAll(
  engine: Engine,
  options: Options,
  terminal: Terminal,
  slides: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const backbone = await chooseBackbone(engine, options.backbone);
  const request: AnalyzeOptions = {
    backbone,
    cut: options.cut ?? null,
    grid: gridOf(options),
    tissue: tissueOf(options),
    slideMppUm: options.slideMpp ?? null,
    clusters: options.clusters,
    seed: options.seed,
    report: { heading: options.heading, includeSlideName: options.includeSlideName },
  };
  const folders = outputFolders(slides, resolve(options.out));
  const done: SlideResult[] = [];
  const failed: { slide: string; error: object }[] = [];
  let firstError: unknown = null;
  for (const [index, slide] of slides.entries()) {
    try {
      const result = await analyzeSlide(engine, slide, folders[index] ?? '', request, terminal, signal);
      done.push(result);
      terminal.print(summary(result));
    } catch (error) {
      if (hasCode(error, 'Cancelled', 'EngineCrashed', 'DiskFull') || slides.length === 1) {
        throw error;
      }
      firstError ??= error;
      failed.push({ slide, error: toErrorPayload(error) });
      terminal.note(`${basename(slide)}: ${formatError(error)}`);
    }
  }
  terminal.printJson({ done, failed });
  if (done.length === 0 && firstError !== null) {
    return EXIT.failed;
  }
  return failed.length > 0 ? EXIT.partlyFailed : EXIT.ok;
}

function gridOf({ mpp, tileUm, strideUm, minTissue }: Options): GridSpec {
  return { mpp, tileUm, strideUm: strideUm ?? tileUm, minTissueFraction: minTissue };
}

function tissueOf({ maskMpp, saturation }: Options): TissueParams {
  return { ...DEFAULT_TISSUE, maskMpp, saturationThreshold: saturation ?? null };
}

/** One slide writes into the folder itself; several get a folder each, named after the file, numbered where alike. */
export function outputFolders(slides: readonly string[], out: string): readonly string[] {
  if (slides.length === 1) {
    return [out];
  }
  const used = new Set<string>();
  return slides.map((slide) => {
    const stem = basename(slide, extname(slide));
    let name = stem;
    for (let count = 2; used.has(name.toLowerCase()); count += 1) {
      name = `${stem} (${count})`;
    }
    used.add(name.toLowerCase());
    return join(out, name);
  });
}

function summary({ slide, folder, tiles, secondsSpent, files }: SlideResult): string {
  const speed = secondsSpent > 0 ? `, ${(tiles / secondsSpent).toFixed(1)} tiles/s` : '';
  return `${basename(slide)}: ${tiles} tiles in ${formatDuration(secondsSpent)}${speed}\n  ${folder}: ${files.join(', ')}`;
}
