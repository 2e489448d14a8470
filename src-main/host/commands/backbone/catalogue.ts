import { resolve } from 'node:path';
import type { Command } from 'commander';
import { AppError } from '../../../../src-shared/errors.ts';
import type { CatalogueItem } from '../../../../src-shared/model/backbone.ts';
import type { Job } from '../../../../src-shared/model/job.ts';
import type { Engine } from '../../../engine/engine.ts';
import { abortOnSignal } from '../../abort-on-signal.ts';
import { awaitJob } from '../../await-job.ts';
import { formatBytes, type Terminal } from '../../terminal.ts';
import { type Finish, newCommand, runs, STORE_OPTION } from '../command.ts';
import { alignColumns, describeCard, type StoreOptions, withEngine } from './shared.ts';

export function catalogueCommand(finish: Finish): Command {
  const command = newCommand('catalogue', 'public checkpoints by name, origin, licence and source (no network)').option(
    ...STORE_OPTION,
  );
  return runs<StoreOptions>(command, finish, (options, terminal) =>
    withEngine(options, async (engine) => {
      const { items, mirror } = await engine.api.listCatalogue();
      terminal.printJson(items);
      const rows = items.map(({ name, architecture, origin, licence, page }) => {
        return [name, architecture, origin, licence, page];
      });
      terminal.print(alignColumns([['name', 'network', 'trained on', 'licence', 'page'], ...rows]));
      for (const { name, unchecked } of items) if (unchecked !== '') terminal.print(`\n${name}: ${unchecked}`);
      if (mirror !== '') terminal.print(`\nMirror: ${mirror}`);
      terminal.print('\nNone of these is shipped. Fetch one with: hyaline backbone get NAME');
    }),
  );
}

interface GetOptions extends StoreOptions {
  readonly mirror?: string;
}

export function getCommand(finish: Finish): Command {
  const command = newCommand('get', 'fetch a checkpoint of the catalogue and register it: this uses the network')
    .argument('<name>', 'a name of the catalogue')
    .option('--mirror <folder|url>', 'take NAME/FILE from there and not from its source; a folder needs no network')
    .option(...STORE_OPTION);
  return runs<GetOptions>(command, finish, (options, terminal, [name = '']) =>
    withEngine(options, (engine) => fetchNamed(engine, terminal, name), mirrorOf(options.mirror)),
  );
}

async function fetchNamed(engine: Engine, terminal: Terminal, name: string): Promise<void> {
  const { items, mirror } = await engine.api.listCatalogue();
  const item = items.find((each) => each.name === name);
  if (item === undefined) {
    throw new AppError('NotFound', `The catalogue has no backbone called ${name}.`, {
      advice: 'List its names with: hyaline backbone catalogue',
    });
  }
  terminal.note(item.server === '' ? `Using the folder ${mirror}, no network.` : `Using the network: ${item.server}`);
  await fetchItem(engine, terminal, item);
  const card = (await engine.api.listBackbones()).find((each) => each.name === name && each.file !== undefined);
  if (card === undefined) throw new AppError('Internal', 'The backbone was fetched, but it is not there.');
  const { sha256 = '', digestChecked = false } = card.file ?? {};
  terminal.printJson({ ...card, fileSha256: sha256, digestChecked });
  terminal.print(describeCard(card));
  terminal.print(`  SHA-256 of the file ${sha256}`);
  if (!digestChecked) terminal.note('Its source states no digest: compare the SHA-256 with one you trust.');
  if (item.unchecked !== '') terminal.note(item.unchecked);
  terminal.note(`Its terms are on ${item.page}`);
}

/** Fetches and registers an entry, telling how it goes; Ctrl-C stops it, and the same command goes on from there. */
async function fetchItem(engine: Engine, terminal: Terminal, item: CatalogueItem): Promise<void> {
  const id = await engine.api.startDownload(item.name);
  const bar = terminal.progress(item.name);
  await abortOnSignal((signal) => {
    const show = ({ progress }: Job): void => {
      const total = progress.total > 0 ? ` of ${formatBytes(progress.total)}` : '';
      const stage = progress.done > 0 ? `${progress.stage}, ${formatBytes(progress.done)}${total}` : progress.stage;
      bar.update({ ...progress, stage, perSecond: null });
    };
    return awaitJob(engine, id, show, signal);
  }).finally(() => bar.stop());
}

function mirrorOf(given: string | undefined): string | null {
  if (given === undefined) return null;
  return /^https?:\/\//.test(given) ? given : resolve(given);
}
