import { Command, InvalidArgumentError } from 'commander';
import { openTerminal, type Terminal } from '../terminal.ts';

/** What a command's action gets: its options, a terminal and its arguments. */
export type Action<Options> = (options: Options, terminal: Terminal, args: readonly string[]) => Promise<number>;

/** Takes the exit code of the command that ran. */
export type Finish = (exitCode: number) => void;

/** A command with the options every command has. Add arguments and options, then call `runs`. */
export function newCommand(name: string, summary: string): Command {
  return new Command(name)
    .description(summary)
    .option('--json', 'print one JSON document on stdout instead of text', false)
    .showHelpAfterError('(add --help for usage)');
}

/** Connects the command to what it does. Variadic arguments arrive as one flat list. */
export function runs<Options>(command: Command, finish: Finish, action: Action<Options>): Command {
  return command.action(async (...given: unknown[]) => {
    const options = command.opts<{ json: boolean }>();
    const args = given.slice(0, -2).flat().map(String);
    finish(await action(options as Options, openTerminal(options.json), args));
  });
}

export const STORE_OPTION = [
  '--store <path>',
  'folder of the store (else HYALINE_STORE, else your data folder)',
] as const;

/** A parser for a number option within bounds. */
export function numberWithin(low: number, high: number, kind: 'integer' | 'float' = 'float'): (text: string) => number {
  return (text) => {
    const value = Number(text);
    const wrongKind = kind === 'integer' && !Number.isInteger(value);
    if (text.trim() === '' || !Number.isFinite(value) || wrongKind || value < low || value > high) {
      throw new InvalidArgumentError(
        `It must be ${kind === 'integer' ? 'a whole' : 'a'} number from ${low} to ${high}.`,
      );
    }
    return value;
  };
}
