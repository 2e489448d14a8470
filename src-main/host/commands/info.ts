import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import type { Command } from 'commander';
import type { SlideInfo } from '../../../src-shared/model/slide.ts';
import { openSlideSource } from '../../engine/slide/open-slide.ts';
import { EXIT } from '../exit-codes.ts';
import { formatBytes, formatTable } from '../terminal.ts';
import { type Finish, newCommand, runs } from './command.ts';

export function infoCommand(finish: Finish): Command {
  const command = newCommand('info', 'what a slide file says about itself').argument('<slide>', 'slide file');
  return runs(command, finish, async (_options, terminal, [path = '']) => {
    const source = await openSlideSource(resolve(path));
    try {
      const { size: sizeBytes } = await stat(path);
      terminal.printJson({ file: basename(path), sizeBytes, ...source.info });
      terminal.print(describe(basename(path), sizeBytes, source.info));
      return EXIT.ok;
    } finally {
      await source.close();
    }
  });
}

function describe(name: string, sizeBytes: number, info: SlideInfo): string {
  const { mpp, levels } = info;
  const rows: [string, string][] = [
    ['File', `${name} (${formatBytes(sizeBytes)})`],
    ['Format', `${info.vendor}, ${info.compression} tiles, read by ${info.reader}`],
    ['Size', `${info.widthPx} x ${info.heightPx} px`],
    ['Pixel size', mpp === null ? 'not stated in the file' : `${mpp.xUm} x ${mpp.yUm} µm`],
    ['Objective', info.objective === null ? 'not stated in the file' : `${info.objective}x`],
    ...levels.map(({ widthPx, heightPx, downsample, tileWidthPx, tileHeightPx }, index): [string, string] => [
      `Level ${index}`,
      `${widthPx} x ${heightPx} px, 1/${downsample.toFixed(3)}, tiles ${tileWidthPx} x ${tileHeightPx} px`,
    ]),
    ...info.associated.map(({ name: image, widthPx, heightPx }): [string, string] => [
      'Image',
      `${image}, ${widthPx} x ${heightPx} px`,
    ]),
    ['ICC profile', info.hasIccProfile ? 'embedded' : 'none'],
    ...info.warnings.map((warning): [string, string] => ['Warning', warning]),
  ];
  return formatTable(rows);
}
