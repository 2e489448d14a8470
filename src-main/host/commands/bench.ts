import { Command } from 'commander';
import { cohortBenchCommand } from './bench/mil-cohort.ts';
import { patchesBenchCommand } from './bench/mil-patches.ts';
import type { Finish } from './command.ts';

export function benchCommand(finish: Finish): Command {
  const mil = new Command('mil').description('what attention finds by slide labels alone, against the truth of tiles');
  mil.addCommand(patchesBenchCommand(finish));
  mil.addCommand(cohortBenchCommand(finish));
  return new Command('bench').description('measure what the methods are worth, repeatably').addCommand(mil);
}
