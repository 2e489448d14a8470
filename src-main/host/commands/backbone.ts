import { Command, Option } from 'commander';
import type { CardEdits } from '../../../src-shared/api/engine.ts';
import type { BackboneCard, BackboneOrigin } from '../../../src-shared/model/backbone.ts';
import type { Engine } from '../../engine/engine.ts';
import { chooseBackbone } from '../analysis/choose-backbone.ts';
import { EXIT } from '../exit-codes.ts';
import { openEngine } from '../open-engine.ts';
import { storeFolder } from '../store-folder.ts';
import { formatBytes, formatTable, type Terminal } from '../terminal.ts';
import { type Finish, newCommand, runs, STORE_OPTION } from './command.ts';

const ORIGINS: readonly BackboneOrigin[] = ['imagenet', 'histology', 'random', 'unknown'];

interface StoreOptions {
  readonly store?: string;
}

interface ImportOptions extends StoreOptions {
  readonly name?: string;
  readonly origin?: BackboneOrigin;
  readonly licence?: string;
}

export function backboneCommand(finish: Finish): Command {
  const list = newCommand('list', 'the backbones there are').option(...STORE_OPTION);
  const add = newCommand('import', 'register an ONNX file')
    .argument('<file.onnx>', 'an image model with one float input')
    .option('--name <name>', 'what to call it (default: its file name)')
    .addOption(new Option('--origin <domain>', 'what it was trained on').choices(ORIGINS))
    .option('--licence <text>', 'terms of its weights')
    .option(...STORE_OPTION);
  const remove = newCommand('remove', 'remove an imported backbone; its results stay')
    .argument('<name>', 'its name, or the start of its hash')
    .option(...STORE_OPTION);
  return new Command('backbone')
    .description('list, import and remove backbones')
    .addCommand(runs<StoreOptions>(list, finish, (options, terminal) => withEngine(options, listAll(terminal))))
    .addCommand(
      runs<ImportOptions>(add, finish, (options, terminal, [file = '']) =>
        withEngine(options, importFile(terminal, file, options)),
      ),
    )
    .addCommand(
      runs<StoreOptions>(remove, finish, (options, terminal, [name = '']) =>
        withEngine(options, removeNamed(terminal, name)),
      ),
    );
}

async function withEngine(options: StoreOptions, work: (engine: Engine) => Promise<void>): Promise<number> {
  const engine = await openEngine(storeFolder(options.store), 0);
  try {
    await work(engine);
    return EXIT.ok;
  } finally {
    await engine.close();
  }
}

function listAll(terminal: Terminal) {
  return async (engine: Engine): Promise<void> => {
    const cards = await engine.api.listBackbones();
    terminal.printJson(cards);
    terminal.print(cards.map(describe).join('\n\n'));
  };
}

function importFile(terminal: Terminal, file: string, { name, origin, licence }: ImportOptions) {
  return async (engine: Engine): Promise<void> => {
    const edits: CardEdits = {
      ...(name === undefined ? {} : { name }),
      ...(origin === undefined ? {} : { origin }),
      ...(licence === undefined ? {} : { licence }),
    };
    const card = await chooseBackbone(engine, file);
    const edited = Object.keys(edits).length === 0 ? card : await engine.api.editBackbone(card.id, edits);
    terminal.printJson(edited);
    terminal.print(describe(edited));
  };
}

function removeNamed(terminal: Terminal, name: string) {
  return async (engine: Engine): Promise<void> => {
    const card = await chooseBackbone(engine, name);
    await engine.api.removeBackbone(card.id);
    terminal.printJson({ removed: card.id });
    terminal.print(`${card.name} is removed.`);
  };
}

function describe(card: BackboneCard): string {
  const { input } = card;
  const cut = card.cuts.find(({ name }) => name === card.defaultCut);
  const rows: [string, string][] = [
    ['hash', card.id.slice(0, 16)],
    ['network', `${card.architecture}, ${card.origin}${card.method === '' ? '' : ` (${card.method})`}`],
    ['size', `${(card.parameters / 1e6).toFixed(1)} M parameters, ${formatBytes(card.sizeBytes)}`],
    ['input', `${input.widthPx} x ${input.heightPx} px ${input.channelOrder}, ${input.layout}`],
    [
      'features',
      `${cut?.featureDim ?? '?'} at ${card.defaultCut}; cuts: ${card.cuts.map(({ name }) => name).join(', ')}`,
    ],
    ['licence', card.licence === '' ? 'not stated' : card.licence],
    ...(card.assumed.length === 0 ? [] : [['to confirm', card.assumed.join(', ')] as [string, string]]),
  ];
  return `${card.name}${card.builtIn ? ' (built in)' : ''}\n${formatTable(rows).replace(/^/gm, '  ')}`;
}
