import { basename, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { regionPng } from '../../engine/slide/inspect.ts';
import { EXIT } from '../exit-codes.ts';
import { outputPath, writeOutput } from '../output-file.ts';
import { formatBytes, type Terminal } from '../terminal.ts';
import { type Finish, newCommand, numberWithin, runs } from './command.ts';

interface Options {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly level?: number;
  readonly mpp?: number;
  readonly out: string;
  readonly force: boolean;
}

/** Sides of one PNG: 16,384 squared are 800 MB of pixels. */
const MAX_SIDE_PX = 16_384;
const FAR_PX = 2 ** 31 - 1;

export function regionCommand(finish: Finish): Command {
  const place = numberWithin(-FAR_PX, FAR_PX);
  const side = numberWithin(1, MAX_SIDE_PX, 'integer');
  const command = newCommand('region', 'write a region of a slide as PNG, white outside the slide')
    .argument('<slide>', 'slide file')
    .requiredOption('--x <px>', 'left edge in level-0 pixels', place)
    .requiredOption('--y <px>', 'top edge in level-0 pixels', place)
    .requiredOption('--width <px>', 'width of the image', side)
    .requiredOption('--height <px>', 'height of the image', side)
    .addOption(
      new Option('--level <number>', 'stored level whose pixels are written as they are (default: 0)')
        .argParser(numberWithin(0, 63, 'integer'))
        .conflicts('mpp'),
    )
    .option('--mpp <µm>', 'pixel size to resample to', numberWithin(0.001, 10_000))
    .requiredOption('--out <file.png>', 'file to write')
    .option('--force', 'replace a file of this name', false);
  return runs<Options>(command, finish, writeRegion);
}

async function writeRegion(options: Options, terminal: Terminal, [slide = '']: readonly string[]): Promise<number> {
  const { x, y, width, height, level, mpp, out, force } = options;
  const path = outputPath(out, ['.png'], force);
  const { png, missing } = await regionPng(resolve(slide), {
    ...{ x0Px: x, y0Px: y, widthPx: width, heightPx: height },
    ...(level === undefined ? {} : { level }),
    ...(mpp === undefined ? {} : { mppUm: mpp }),
  });
  await writeOutput(path, png);
  const scale = mpp === undefined ? { level: level ?? 0 } : { mppUm: mpp };
  terminal.printJson({ file: path, widthPx: width, heightPx: height, ...scale, sizeBytes: png.byteLength, missing });
  const at = mpp === undefined ? `level ${level ?? 0}` : `${mpp} µm per pixel`;
  terminal.print(`${basename(path)}: ${width} x ${height} px at ${at}, ${formatBytes(png.byteLength)}`);
  if (missing) terminal.print('Part of it has no pixels in the file: that part is hatched.');
  return EXIT.ok;
}
