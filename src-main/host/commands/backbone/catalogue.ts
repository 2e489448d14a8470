import { resolve } from 'node:path';
import type { Command } from 'commander';
import { AppError } from '../../../../src-shared/errors.ts';
import { listCatalogue } from '../../../engine/service/backbones.ts';
import { EXIT } from '../../exit-codes.ts';
import { type Finish, newCommand, runs, STORE_OPTION } from '../command.ts';
import { alignColumns, describeCard, type StoreOptions, withEngine } from './shared.ts';

export function catalogueCommand(finish: Finish): Command {
  const command = newCommand('catalogue', 'public checkpoints by name, origin, licence and source (no network)');
  return runs(command, finish, async (_options, terminal) => {
    const items = listCatalogue();
    terminal.printJson(items);
    const rows = items.map(({ name, architecture, origin, licence, page }) => [
      name,
      architecture,
      origin,
      licence,
      page,
    ]);
    terminal.print(alignColumns([['name', 'network', 'trained on', 'licence', 'page'], ...rows]));
    terminal.print('\nNone of these is shipped. Fetch one with: hyaline backbone get NAME');
    return EXIT.ok;
  });
}

interface GetOptions extends StoreOptions {
  readonly mirror?: string;
}

export function getCommand(finish: Finish): Command {
  const command = newCommand('get', 'fetch a checkpoint of the catalogue and register it: this uses the network')
    .argument('<name>', 'a name of the catalogue')
    .option('--mirror <folder|url>', 'take NAME/FILE from there and not from its source; a folder needs no network')
    .option(...STORE_OPTION);
  return runs<GetOptions>(command, finish, async (options, terminal, [name = '']) => {
    const item = listCatalogue().find((each) => each.name === name);
    if (item === undefined) {
      throw new AppError('NotFound', `The catalogue has no backbone called ${name}.`, {
        advice: 'List its names with: hyaline backbone catalogue',
      });
    }
    const mirror = mirrorOf(options.mirror);
    terminal.note(whereFrom(mirror, item.server));
    return withEngine(
      options,
      async (engine) => {
        const { card, fileSha256, digestChecked } = await engine.api.downloadBackbone(name);
        terminal.printJson({ ...card, fileSha256, digestChecked });
        terminal.print(describeCard(card));
        terminal.print(`  SHA-256 of the file ${fileSha256}`);
        if (!digestChecked) terminal.note('Its source states no digest: compare the SHA-256 with one you trust.');
        terminal.note(`Its terms are on ${item.page}`);
      },
      mirror,
    );
  });
}

function mirrorOf(given: string | undefined): string | null {
  if (given === undefined) return null;
  return /^https?:\/\//.test(given) ? given : resolve(given);
}

function whereFrom(mirror: string | null, server: string): string {
  if (mirror === null) return `Using the network: ${server}`;
  return /^https?:/.test(mirror)
    ? `Using the network: ${new URL(mirror).host}`
    : `Using the folder ${mirror}, no network.`;
}
