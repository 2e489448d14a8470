import { Command } from 'commander';
import { catalogueCommand, getCommand } from './backbone/catalogue.ts';
import { devicesCommand } from './backbone/devices.ts';
import { featuresCommand } from './backbone/features.ts';
import { importCommand } from './backbone/import.ts';
import { exportCommand, listCommand, randomCommand, removeCommand, showCommand } from './backbone/registered.ts';
import type { Finish } from './command.ts';

const COMMANDS: readonly ((finish: Finish) => Command)[] = [
  listCommand,
  showCommand,
  importCommand,
  randomCommand,
  exportCommand,
  featuresCommand,
  catalogueCommand,
  getCommand,
  devicesCommand,
  removeCommand,
];

export function backboneCommand(finish: Finish): Command {
  const group = new Command('backbone').description('import, fetch, describe, cut and run backbones');
  for (const make of COMMANDS) group.addCommand(make(finish));
  return group;
}
