import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, extname, resolve } from 'node:path';
import type { Command } from 'commander';
import { AppError } from '../../../src-shared/errors.ts';
import { synthesizeInWorker } from '../../engine/slide/synthetic/synthesize-in-worker.ts';
import { MAX_SIDE_PX } from '../../engine/slide/synthetic/write-synthetic.ts';
import { abortOnSignal } from '../abort-on-signal.ts';
import { EXIT } from '../exit-codes.ts';
import { formatBytes, formatDuration, type Terminal } from '../terminal.ts';
import { type Finish, newCommand, numberWithin, runs } from './command.ts';

interface Options {
  readonly width: number;
  readonly height: number;
  readonly seed: number;
  readonly lesions: number;
  readonly mpp: number;
  readonly threads: number;
  readonly force: boolean;
}

export function synthesizeCommand(finish: Finish): Command {
  const side = numberWithin(1, MAX_SIDE_PX, 'integer');
  const command = newCommand('synthesize', 'write a synthetic H&E slide, the same for the same seed')
    .argument('<out.tif>', 'file to write; the true mask of planted lesions goes beside it')
    .requiredOption('--width <px>', 'width of level 0', side)
    .requiredOption('--height <px>', 'height of level 0', side)
    .requiredOption('--seed <number>', 'any whole number', numberWithin(0, 2 ** 31 - 1, 'integer'))
    .option('--lesions <number>', 'lesions to plant', numberWithin(0, 1000, 'integer'), 0)
    .option('--mpp <µm>', 'pixel size of level 0', numberWithin(0.1, 10), 0.5)
    .option('--threads <number>', 'rendering threads; 0 = all cores', numberWithin(0, 256, 'integer'), 0)
    .option('--force', 'replace a file of this name', false);
  return runs<Options>(command, finish, synthesize);
}

async function synthesize(options: Options, terminal: Terminal, [out = '']: readonly string[]): Promise<number> {
  const outPath = resolve(out);
  if (!['.tif', '.tiff'].includes(extname(outPath).toLowerCase())) {
    throw new AppError('InvalidRequest', `${basename(out)} is not the name of a TIFF file.`, {
      advice: 'End it in .tif.',
    });
  }
  if (existsSync(outPath) && !options.force) {
    throw new AppError('InvalidRequest', `${basename(out)} exists.`, {
      advice: 'Choose another name, or add --force.',
    });
  }
  const { width: widthPx, height: heightPx, seed, lesions, mpp } = options;
  const bar = terminal.progress(basename(out));
  const startedMs = Date.now();
  const secondsSince = (): number => (Date.now() - startedMs) / 1000;
  const onProgress = (done: number, total: number): void => {
    const perSecond = done / Math.max(0.001, secondsSince());
    const secondsLeft = perSecond > 0 ? (total - done) / perSecond : null;
    bar.update({ stage: 'Painting tiles', done, total, unit: 'tiles', perSecond, secondsLeft });
  };
  try {
    const threads = options.threads === 0 ? availableParallelism() : options.threads;
    const result = await abortOnSignal((signal) =>
      synthesizeInWorker({ outPath, widthPx, heightPx, seed, lesions, mpp, threads, onProgress, signal }),
    );
    terminal.printJson({ ...result, seconds: secondsSince() });
    const size = formatBytes(result.sizeBytes);
    terminal.print(`${result.path}: ${size}, ${result.levels.length} levels, in ${formatDuration(secondsSince())}`);
    if (result.lesionMaskPath !== null) {
      terminal.print(`${result.lesionMaskPath}: the planted lesions, ${result.lesionMaskMpp} µm per pixel`);
    }
    return EXIT.ok;
  } finally {
    bar.stop();
  }
}
