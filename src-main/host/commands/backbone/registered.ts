import type { Command } from 'commander';
import { chooseBackbone } from '../../analysis/choose-backbone.ts';
import { outputPath, writeOutput } from '../../output-file.ts';
import { formatBytes } from '../../terminal.ts';
import { type Finish, newCommand, numberWithin, runs, STORE_OPTION } from '../command.ts';
import { chooseCut, describeCard, describeInFull, downloadExport, type StoreOptions, withEngine } from './shared.ts';

const NAME = ['<name>', 'its name, or the start of its hash'] as const;

export function listCommand(finish: Finish): Command {
  const command = newCommand('list', 'the backbones there are').option(...STORE_OPTION);
  return runs<StoreOptions>(command, finish, (options, terminal) =>
    withEngine(options, async (engine) => {
      const cards = await engine.api.listBackbones();
      terminal.printJson(cards);
      terminal.print(cards.map(describeCard).join('\n\n'));
    }),
  );
}

export function showCommand(finish: Finish): Command {
  const command = newCommand('show', 'the card of a backbone and its cuts: features, parameters, FLOPs')
    .argument(...NAME)
    .option(...STORE_OPTION);
  return runs<StoreOptions>(command, finish, (options, terminal, [name = '']) =>
    withEngine(options, async (engine) => {
      const card = await chooseBackbone(engine, name);
      terminal.printJson(card);
      terminal.print(describeInFull(card));
    }),
  );
}

export function removeCommand(finish: Finish): Command {
  const command = newCommand('remove', 'remove an imported backbone; its results stay')
    .argument(...NAME)
    .option(...STORE_OPTION);
  return runs<StoreOptions>(command, finish, (options, terminal, [name = '']) =>
    withEngine(options, async (engine) => {
      const card = await chooseBackbone(engine, name);
      await engine.api.removeBackbone(card.id);
      terminal.printJson({ removed: card.id });
      terminal.print(`${card.name} is removed.`);
    }),
  );
}

export function randomCommand(finish: Finish): Command {
  const command = newCommand('random', 'register the random twin of a backbone: its graph and cuts, new weights')
    .argument(...NAME)
    .requiredOption('--seed <number>', 'the same seed gives the same weights', numberWithin(0, 2 ** 31 - 1, 'integer'))
    .option(...STORE_OPTION);
  return runs<StoreOptions & { seed: number }>(command, finish, (options, terminal, [name = '']) =>
    withEngine(options, async (engine) => {
      const card = await chooseBackbone(engine, name);
      const twin = await engine.api.makeRandomTwin(card.id, options.seed);
      terminal.printJson(twin);
      terminal.print(describeCard(twin));
    }),
  );
}

export function exportCommand(finish: Finish): Command {
  const command = newCommand('export', 'write one cut of a backbone as an ONNX file of its own')
    .argument('<name@cut>', 'a backbone and one of its cuts (default: its default cut)')
    .requiredOption('--out <file.onnx>', 'file to write')
    .option('--force', 'replace a file of this name', false)
    .option(...STORE_OPTION);
  return runs<StoreOptions & { out: string; force: boolean }>(command, finish, (options, terminal, [named = '']) => {
    const path = outputPath(options.out, ['.onnx'], options.force);
    return withEngine(options, async (engine) => {
      const { card, cut } = await chooseCut(engine, named);
      const made = await engine.api.exportBackboneCut(card.id, cut.name);
      await writeOutput(path, await downloadExport(engine, made.id));
      const { featureDim, cumulativeParameters: parameters } = cut;
      const { sizeBytes } = made;
      terminal.printJson({ file: path, backbone: card.name, cut: cut.name, featureDim, parameters, sizeBytes });
      terminal.print(`${path}: ${card.name}@${cut.name}, ${featureDim} features, ${formatBytes(sizeBytes)}`);
    });
  });
}
