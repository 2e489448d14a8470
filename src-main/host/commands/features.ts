import { basename, extname, posix, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { AppError } from '../../../src-shared/errors.ts';
import type { Run } from '../../../src-shared/model/run.ts';
import type { BagFormat } from '../../engine/interop/bag-files.ts';
import type { OpenedStore } from '../../engine/store/store.ts';
import { EXIT } from '../exit-codes.ts';
import { type NamedTarget, parseTargets } from '../extraction/choose-targets.ts';
import { findSlides, openIntoStore } from '../extraction/find-slides.ts';
import { storeFolder } from '../store-folder.ts';
import type { Terminal } from '../terminal.ts';
import { type Finish, newCommand, numberWithin, runs, STORE_OPTION } from './command.ts';

/** As `exportBag` knows them; repeated here because the HDF5 library is loaded only when it is needed. */
const FORMATS: readonly BagFormat[] = ['trident', 'clam', 'csv'];

interface ExportOptions {
  readonly store?: string;
  readonly slide?: string;
  readonly backbone?: string;
  readonly format: BagFormat;
  readonly out: string;
}

interface ImportOptions {
  readonly store?: string;
  readonly slide: string;
  readonly encoder?: string;
  readonly patches?: string;
  readonly slideMpp?: number;
}

export function featuresCommand(finish: Finish): Command {
  const exporting = newCommand('export', 'write features and coordinates as TRIDENT, CLAM or CSV files')
    .option(...STORE_OPTION)
    .option('--slide <file|name|id>', 'one slide (default: all)')
    .option('--backbone <names>', 'only these backbones, each perhaps with a cut: a,b@layer3 (default: all)')
    .addOption(new Option('--format <name>', 'layout of the files').choices(FORMATS).makeOptionMandatory())
    .requiredOption('--out <folder>', 'where the files go');
  const importing = newCommand('import', 'read features of TRIDENT or CLAM into the store')
    .argument('<file.h5>', 'feature file')
    .option(...STORE_OPTION)
    .requiredOption('--slide <file>', 'the slide the features were made of')
    .option('--encoder <name>', 'what made them, where the file does not say')
    .option('--patches <file.h5>', 'patch file, where the feature file does not say the tile size (CLAM)')
    .option('--slide-mpp <µm>', 'pixel size of a slide that does not state it', numberWithin(0.01, 100));
  const command = new Command('features').description('take features out of the store, or bring them in (--json)');
  command.addCommand(runs<ExportOptions>(exporting, finish, exportFeatures).exitOverride());
  command.addCommand(runs<ImportOptions>(importing, finish, importFeatures).exitOverride());
  return command;
}

async function withStore<T>(option: string | undefined, use: (store: OpenedStore) => Promise<T>): Promise<T> {
  const { openStore } = await import('../../engine/store/open-store.ts');
  const store = await openStore({ folder: storeFolder(option), program: 'hyaline features' });
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

function isWanted(run: Run, targets: readonly NamedTarget[]): boolean {
  if (targets.length === 0) return true;
  return targets.some(({ backbone, cut }) => {
    const named = run.backboneName.toLowerCase() === backbone.toLowerCase() || run.backboneId.startsWith(backbone);
    return named && (cut === null || run.cut === cut);
  });
}

async function exportFeatures(options: ExportOptions, terminal: Terminal): Promise<number> {
  const { exportBag } = await import('../../engine/interop/bag-files.ts');
  const targets = parseTargets(options.backbone ?? '');
  const files = await withStore(options.store, async (store) => {
    const written: string[] = [];
    const taken = new Set<string>();
    for (const slide of await findSlides(store, options.slide ?? null)) {
      for (const run of await store.listRuns(slide.id)) {
        if (run.state !== 'done' || !isWanted(run, targets)) continue;
        const laid = await store.getGrid(run.provenance.gridId);
        if (laid === null) continue;
        const features = await store.readFeatures(run.id);
        const slideName = basename(slide.name, extname(slide.name));
        const bag = { run, laid, info: slide.info, slideName, features };
        const { gridId } = run.provenance;
        // Features on two grids of one slide would overwrite each other: the second set gets a folder of its own.
        const key = [
          slide.id,
          run.backboneName,
          run.cut,
          run.provenance.normalisation,
          run.provenance.precision,
        ].join();
        const folder = taken.has(key) ? `grid-${gridId.slice(0, 8)}` : '';
        taken.add(key);
        for (const file of await exportBag(resolve(options.out, folder), options.format, bag)) {
          const shown = posix.join(folder, file);
          terminal.print(shown);
          written.push(shown);
        }
      }
    }
    return written;
  });
  if (files.length === 0) {
    throw new AppError('NotFound', 'No finished features fit the slide and backbone named.', {
      advice: 'Extract them first: hyaline extract.',
    });
  }
  terminal.printJson({ folder: resolve(options.out), files });
  return EXIT.ok;
}

async function importFeatures(options: ImportOptions, terminal: Terminal, [file = '']: readonly string[]) {
  const { readBag, readPatches } = await import('../../engine/interop/hdf5.ts');
  const { importBag } = await import('../../engine/interop/import-bag.ts');
  const bag = await readBag(resolve(file));
  const patches = options.patches === undefined ? null : await readPatches(resolve(options.patches));
  const run = await withStore(options.store, async (store) => {
    const slide = await openIntoStore(store, resolve(options.slide));
    const mppUm = slide.userMppUm ?? slide.info.mpp?.xUm ?? options.slideMpp ?? null;
    if (mppUm === null) {
      throw new AppError('MppUnknown', 'The slide does not state its pixel size.', {
        advice: 'Give it in micrometres per pixel with --slide-mpp.',
      });
    }
    if (slide.userMppUm === null && slide.info.mpp === null) await store.putSlide({ ...slide, userMppUm: mppUm });
    return await importBag(store, { slide, mppUm, bag, patches, encoder: options.encoder ?? null });
  });
  const { id, tileCount, backboneName } = run;
  terminal.printJson({ runId: id, tiles: tileCount, dim: run.provenance.featureDim, backbone: backboneName });
  terminal.print(`${backboneName}: ${tileCount} tiles, ${run.provenance.featureDim} features each`);
  return EXIT.ok;
}
