import type { Command } from 'commander';
import { formatTable } from '../../terminal.ts';
import { type Finish, newCommand, runs, STORE_OPTION } from '../command.ts';
import { type StoreOptions, withEngine } from './shared.ts';

export function devicesCommand(finish: Finish): Command {
  const command = newCommand('devices', 'what backbones run on here, and why not on the others').option(
    ...STORE_OPTION,
  );
  return runs<StoreOptions>(command, finish, (options, terminal) =>
    withEngine(options, async (engine) => {
      const { device } = await engine.api.about();
      terminal.printJson(device);
      const refused = device.refused.map(({ name, reason }): [string, string] => [`not ${name}`, reason]);
      terminal.print(formatTable([[device.name, `in use: ${device.detail}`], ...refused]));
    }),
  );
}
