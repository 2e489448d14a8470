import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, extname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { AppError } from '../../../../src-shared/errors.ts';
import { EXIT } from '../../exit-codes.ts';
import type { Terminal } from '../../terminal.ts';
import { downloadExport } from '../backbone/shared.ts';
import { type Finish, newCommand, runs, STORE_OPTION } from '../command.ts';
import { findStudy } from './find-study.ts';
import { withEngine } from './show.ts';

interface ReportOptions {
  readonly store?: string;
  readonly out: string;
}

type Format = 'pdf' | 'csv' | 'json';
const NAMES: Readonly<Record<Format, string>> = { pdf: 'study.pdf', csv: 'predictions.csv', json: 'study.json' };

export function reportCommand(finish: Finish): Command {
  const command = newCommand('report', 'write a trained study as PDF report, CSV of predictions and JSON')
    .argument('<study>', 'identifier of the study, or its beginning, or its name')
    .requiredOption('--out <folder|file>', 'folder for all three, or one file ending in .pdf, .csv or .json')
    .option(...STORE_OPTION);
  return runs<ReportOptions>(command, finish, writeReport);
}

async function writeReport(
  options: ReportOptions,
  terminal: Terminal,
  [named = '']: readonly string[],
): Promise<number> {
  const out = resolve(options.out);
  const wanted = chosenFormat(out);
  const files = (wanted === null ? (['pdf', 'csv', 'json'] as const) : [wanted]).map((format) => ({
    format,
    path: wanted === null ? join(out, NAMES[format]) : out,
  }));
  return await withEngine(options.store, async (engine) => {
    const study = await findStudy(engine, named);
    for (const { format, path } of files) {
      const bytes = await downloadExport(engine, (await engine.api.exportStudy(study.id, format)).id);
      try {
        await mkdir(dirname(path), { recursive: true });
        await writeFile(path, bytes);
      } catch (cause) {
        throw new AppError('DiskFull', `${path} cannot be written.`, { detail: String(cause), cause });
      }
      terminal.print(path);
    }
    terminal.printJson({ studyId: study.id, files: files.map(({ path }) => path) });
    return EXIT.ok;
  });
}

function chosenFormat(path: string): Format | null {
  const ending = extname(path).slice(1).toLowerCase();
  return ending === 'pdf' || ending === 'csv' || ending === 'json' ? ending : null;
}
