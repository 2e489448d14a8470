import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { AppError } from '../../../src-shared/errors.ts';
import type { Conversion } from '../../engine/compare/convert/make-task.ts';
import type { SplitShares } from '../../engine/study/splits.ts';
import { abortOnSignal } from '../abort-on-signal.ts';
import { EXIT } from '../exit-codes.ts';
import type { Terminal } from '../terminal.ts';
import { type Finish, newCommand, numberWithin, runs } from './command.ts';

interface Options {
  readonly images: string;
  readonly annotations?: string;
  readonly kind: Conversion['kind'];
  readonly out: string;
  readonly size: number;
  readonly stride?: number;
  readonly threshold: number;
  readonly shifts: number;
  readonly names: ReadonlyMap<number, string>;
  readonly background: number;
  readonly most: number;
  readonly split?: SplitShares;
  readonly seed: number;
}

/** `hyaline tasks make`: annotated images become tasks that `hyaline compare` reads. */
export function tasksCommand(finish: Finish): Command {
  // Without options of its own: commander would take --json here and not hand it on.
  const tasks = new Command('tasks')
    .description('make patch tasks of annotated images')
    .showHelpAfterError('(add --help for usage)');
  const pixels = numberWithin(4, 100_000, 'integer');
  const make = newCommand('make', 'cut annotated images into patches with a class each, groups kept')
    .requiredOption('--images <path>', 'folder of images, or a table: file, annotation, patient (or slide)')
    .option('--annotations <folder>', 'masks (PNG, TIFF), GeoJSON or CSV points, named like their images')
    .requiredOption('--kind <name>', 'dense or rare (points), mask or central (masks)', kindOf)
    .requiredOption('--out <folder>', 'a folder per class and index.tsv are written there')
    .option('--size <px>', 'side of a patch', pixels, 100)
    .option('--stride <px>', 'from patch to patch (default: half a side; rare: a whole one)', pixels)
    .option('--threshold <0..1>', 'mask: annotated part from which a patch is positive', numberWithin(0, 1), 0.1)
    .option('--shifts <number>', 'rare: shifted patches of every point', numberWithin(1, 1000, 'integer'), 10)
    .option('--names <v=name,…>', "central: classes of the mask's values", namesOf, new Map())
    .option('--background <0..1>', 'leave patches out with more glass than this', numberWithin(0, 1), 0.9)
    .option('--most <number>', 'patches of a class from one image, at most', numberWithin(1, 1e6, 'integer'), 1000)
    .option('--split <a/b/c>', 'parts of the groups to train, validate and test; none = cross-validated', splitOf)
    .option('--seed <number>', 'of shifts, draws and split', numberWithin(0, 2 ** 31 - 1, 'integer'), 1);
  tasks.addCommand(runs<Options>(make, finish, makeTasks));
  return tasks;
}

async function makeTasks(options: Options, terminal: Terminal): Promise<number> {
  const { findAnnotated } = await import('../../engine/compare/convert/find-annotated.ts');
  const { makeTask } = await import('../../engine/compare/convert/make-task.ts');
  const { images, without } = await findAnnotated(options.images, options.annotations ?? null);
  const folder = resolve(options.out);
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw new AppError('DiskFull', 'The folder for the task cannot be made.', {
      advice: 'Choose another folder with --out.',
      detail: String(cause),
      cause,
    });
  });
  const bar = terminal.progress('tasks');
  const made = await abortOnSignal((signal) =>
    makeTask({
      ...{ images, folder, signal, conversion: conversionOf(options), seed: options.seed },
      ...{ mostBackground: options.background, mostPerClass: options.most, split: options.split ?? null },
      onProgress: (done, total) =>
        bar.update({ stage: 'Cutting images', done, total, unit: 'images', perSecond: null, secondsLeft: null }),
    }),
  ).finally(() => bar.stop());
  const leftOut = [
    ...made.leftOut,
    ...without.map((image) => ({ image, reason: 'It has no annotation of its name.' })),
  ];
  terminal.printJson({ ...made, leftOut });
  const classes = Object.entries(made.classes).map(([name, count]) => `${count} ${name}`);
  terminal.print(`${folder}: ${made.patches} patches (${classes.join(', ')}) of ${made.groups} groups.`);
  if (made.background > 0) terminal.print(`${made.background} patches of background were left out.`);
  for (const { image, reason } of leftOut) terminal.note(`Left out: ${image}. ${reason}`);
  return EXIT.ok;
}

function conversionOf({ kind, size, stride, threshold, shifts, names }: Options): Conversion {
  const sizePx = size;
  switch (kind) {
    case 'rare':
      return { kind, sizePx, stridePx: stride ?? sizePx, shifts };
    case 'dense':
      return { kind, sizePx, stridePx: stride ?? Math.ceil(sizePx / 2) };
    case 'mask':
      return { kind, sizePx, stridePx: stride ?? Math.ceil(sizePx / 2), threshold };
    case 'central':
      return { kind, sizePx, stridePx: stride ?? Math.ceil(sizePx / 2), names };
  }
}

const KINDS = ['dense', 'rare', 'mask', 'central'] as const;

function kindOf(text: string): Conversion['kind'] {
  const found = KINDS.find((name) => name === text);
  if (found === undefined) throw new InvalidArgumentError(`It must be one of ${KINDS.join(', ')}.`);
  return found;
}

function splitOf(text: string): SplitShares {
  const [train = Number.NaN, validation = Number.NaN, test = Number.NaN, ...more] = text.split('/').map(Number);
  const wrong = [train, validation, test].some((share) => !(share >= 0));
  if (wrong || more.length > 0 || train === 0 || test === 0) {
    throw new InvalidArgumentError('It must be three parts such as 60/20/20.');
  }
  return { train, validation, test };
}

function namesOf(text: string): ReadonlyMap<number, string> {
  const pairs = text.split(',').map((pair) => /^(\d+)=(.+)$/.exec(pair.trim()));
  return new Map(
    pairs.map((match) => {
      if (match === null) throw new InvalidArgumentError('It must be pairs such as 0=stroma,1=tumour.');
      return [Number(match[1]), match[2] ?? ''] as const;
    }),
  );
}
