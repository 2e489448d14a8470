import { basename, resolve } from 'node:path';
import type { Command } from 'commander';
import { describeSlide, type SlideDescription } from '../../engine/slide/inspect.ts';
import { EXIT } from '../exit-codes.ts';
import { formatBytes, formatTable } from '../terminal.ts';
import { type Finish, newCommand, runs } from './command.ts';

export function infoCommand(finish: Finish): Command {
  const command = newCommand('info', 'what a slide file says about itself').argument('<slide>', 'slide file');
  return runs(command, finish, async (_options, terminal, [path = '']) => {
    const description = await describeSlide(resolve(path));
    const { fingerprint, sizeBytes, info, openSlide } = description;
    const differs = levelsDiffer(description);
    terminal.printJson({ file: basename(path), sizeBytes, fingerprint, ...info, openSlide, levelsDiffer: differs });
    terminal.print(describe(basename(path), description));
    return EXIT.ok;
  });
}

/** True where OpenSlide shows other levels than the file stores; null where no OpenSlide opens the file. */
export function levelsDiffer({ info, openSlide }: SlideDescription): boolean | null {
  if (openSlide === null) return null;
  const sizes = (levels: readonly { widthPx: number; heightPx: number }[]): string =>
    levels.map(({ widthPx, heightPx }) => `${widthPx}x${heightPx}`).join();
  return sizes(info.levels) !== sizes(openSlide.levels);
}

type Row = [string, string];

function describe(name: string, description: SlideDescription): string {
  const { info, openSlide, sizeBytes, fingerprint } = description;
  const { mpp, levels } = info;
  const rows: Row[] = [
    ['File', `${name} (${formatBytes(sizeBytes)})`],
    ['Fingerprint', fingerprint],
    ['Format', `${info.vendor}, ${info.compression} tiles, read by ${info.reader}`],
    ['Size', `${info.widthPx} x ${info.heightPx} px`],
    ['Pixel size', mpp === null ? 'not stated in the file' : `${mpp.xUm} x ${mpp.yUm} µm`],
    ['Objective', info.objective === null ? 'not stated in the file' : `${info.objective}x`],
    ...levels.map(
      ({ widthPx, heightPx, downsample, tileWidthPx, tileHeightPx }, index): Row => [
        `Level ${index}`,
        `${widthPx} x ${heightPx} px, 1/${downsample.toFixed(3)}, tiles ${tileWidthPx} x ${tileHeightPx} px`,
      ],
    ),
    ...info.associated.map(
      ({ name: image, widthPx, heightPx }): Row => ['Image', `${image}, ${widthPx} x ${heightPx} px`],
    ),
    ['ICC profile', info.hasIccProfile ? 'embedded' : 'none'],
    ...info.warnings.map((warning): Row => ['Warning', warning]),
  ];
  if (openSlide !== null && levelsDiffer(description)) {
    rows.push(['Note', `OpenSlide ${openSlide.version} shows other levels; those above are the stored ones:`]);
    rows.push(
      ...openSlide.levels.map(
        ({ widthPx, heightPx, downsample }, index): Row => [
          `  OpenSlide ${index}`,
          `${widthPx} x ${heightPx} px, 1/${downsample.toFixed(3)}`,
        ],
      ),
    );
  }
  return formatTable(rows);
}
