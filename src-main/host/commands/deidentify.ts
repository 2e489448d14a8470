import { realpath, rm } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import type { Command } from 'commander';
import { AppError } from '../../../src-shared/errors.ts';
import { type Deidentified, deidentify, KEPT_APERIO_FIELDS } from '../../engine/slide/deidentify.ts';
import { EXIT } from '../exit-codes.ts';
import { outputPath, writeWhole } from '../output-file.ts';
import { formatBytes, formatTable, type Terminal } from '../terminal.ts';
import { type Finish, newCommand, runs } from './command.ts';

const ENDINGS = ['.svs', '.tif', '.tiff'] as const;

export function deidentifyCommand(finish: Finish): Command {
  const command = newCommand('deidentify', 'copy a slide without label, macro and identifying header fields')
    .argument('<in>', 'SVS or tiled TIFF; it is only read')
    .argument('<out>', 'the copy to write')
    .option('--force', 'replace a file of this name', false)
    .addHelpText(
      'after',
      '\nOut go: label, macro and every image that is no level; all header fields but those that describe pixels (sizes,\n' +
        'coding, resolution, JPEG tables, ICC profile); of an Aperio description all but ' +
        `${[...KEPT_APERIO_FIELDS].join(', ')};\n` +
        'comments, EXIF, XMP and other application segments inside tiles. The copy is verified before it gets its name:\n' +
        'it holds the coded pixels of the original byte for byte, the kept fields, and nothing else. What is written into\n' +
        'the tissue pixels themselves, or into the ICC profile, is not looked for. OME-TIFF, QPTIFF, Philips and formats\n' +
        'that are no TIFF are refused with the reason.',
    );
  return runs<{ force: boolean }>(command, finish, writeCopy);
}

async function writeCopy(
  { force }: { force: boolean },
  terminal: Terminal,
  [from = '', to = '']: readonly string[],
): Promise<number> {
  const original = resolve(from);
  const out = outputPath(to, ENDINGS, force);
  await refuseSame(original, out);
  const result = await writeWhole(out, async (passing) => {
    // What an earlier process of this number left behind is no file of the user's.
    await rm(passing, { force: true });
    return deidentify(original, passing);
  });
  terminal.printJson({ file: out, verified: true, ...result });
  terminal.print(describe(out, result));
  return EXIT.ok;
}

/** --force replaces a copy, never the original. */
async function refuseSame(original: string, out: string): Promise<void> {
  const [a, b] = await Promise.all([original, out].map((path) => realpath(path).catch(() => path)));
  if (a !== b) return;
  throw new AppError('NotAllowed', 'The copy would replace the original; nothing was written.', {
    advice: 'Choose another name for the copy.',
  });
}

function describe(out: string, { sizeBytes, removedImages, removedFields }: Deidentified): string {
  return formatTable([
    ['Copy', `${basename(out)} (${formatBytes(sizeBytes)}), verified: only kept tiles and header fields are in it`],
    ['Images removed', removedImages.length === 0 ? 'none were in it' : removedImages.join(', ')],
    ['Fields removed', removedFields.length === 0 ? 'none were in it' : removedFields.join(', ')],
  ]);
}
