import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { MergeOutcome } from '../../engine/store/merge.ts';
import { abortOnSignal } from '../abort-on-signal.ts';
import { EXIT } from '../exit-codes.ts';
import { storeFolder } from '../store-folder.ts';
import type { Terminal } from '../terminal.ts';
import { type Finish, newCommand, runs } from './command.ts';

interface Options {
  readonly into: string;
}

/** Outcomes after which something of a source is not in the target. */
const INCOMPLETE: ReadonlySet<MergeOutcome> = new Set(['differs', 'damaged']);

export function mergeCommand(finish: Finish): Command {
  const command = newCommand('merge', 'add the results of other stores, as those of shards, to one store')
    .argument('<stores...>', 'folders of the stores to add')
    .requiredOption('--into <folder>', 'store that takes them; made if it is not there');
  return runs<Options>(command, finish, merge);
}

async function merge({ into }: Options, terminal: Terminal, stores: readonly string[]): Promise<number> {
  const { mergeStoreFolders } = await import('../../engine/store/merge-folders.ts');
  const target = { folder: storeFolder(resolve(into)) };
  const sources = stores.map((store) => ({ folder: storeFolder(resolve(store)) }));
  const reports = await abortOnSignal((signal) =>
    mergeStoreFolders(target, sources, { program: 'hyaline merge', signal }),
  );
  let isComplete = true;
  for (const [index, { slidesAdded, backbonesAdded, runs: merged }] of reports.entries()) {
    const counts = new Map<MergeOutcome, number>();
    for (const { outcome } of merged) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    if (merged.some(({ outcome }) => INCOMPLETE.has(outcome))) isComplete = false;
    const outcomes = [...counts].map(([outcome, count]) => `${count} ${outcome}`).join(', ');
    terminal.print(
      `${stores[index]}: ${slidesAdded} slides and ${backbonesAdded.length} backbones added; runs: ${outcomes || 'none'}`,
    );
  }
  terminal.printJson({ into: target.folder, sources: reports.map((report, i) => ({ store: stores[i], ...report })) });
  return isComplete ? EXIT.ok : EXIT.partlyFailed;
}
