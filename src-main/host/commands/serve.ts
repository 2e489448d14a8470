import type { Command } from 'commander';
import { serve } from '../serve.ts';
import { storeFolder } from '../store-folder.ts';
import { type Finish, newCommand, numberWithin, runs, STORE_OPTION } from './command.ts';

interface Options {
  readonly store?: string;
  readonly port: number;
  readonly host: string;
  readonly open: boolean;
  readonly threads: number;
}

export function serveCommand(finish: Finish): Command {
  return withServerOptions('serve', 'open the workstation in the browser', false, finish);
}

export function demoCommand(finish: Finish): Command {
  return withServerOptions('demo', 'open the workstation on the demo slide', true, finish);
}

function withServerOptions(name: string, summary: string, demo: boolean, finish: Finish): Command {
  const command = newCommand(name, summary)
    .option('--port <number>', 'port to listen on; 0 = any free one', numberWithin(0, 65_535, 'integer'), 0)
    .option('--host <address>', 'address to listen on; others than 127.0.0.1 let other machines in', '127.0.0.1')
    .option('--no-open', 'print the address instead of opening a browser')
    .option('--threads <number>', 'threads for the model; 0 = all cores', numberWithin(0, 1024, 'integer'), 0)
    .option(...STORE_OPTION);
  return runs<Options>(command, finish, ({ store, port, host, open, threads }, terminal) =>
    serve({ storeFolder: storeFolder(store), bindAddress: host, port, threads, open, demo }, terminal),
  );
}
