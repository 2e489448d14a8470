import './environment.ts';
import { Command, CommanderError } from 'commander';
import { AppError, fromErrorPayload, toErrorPayload } from '../../src-shared/errors.ts';
import { analyzeCommand } from './commands/analyze.ts';
import { backboneCommand } from './commands/backbone.ts';
import { benchCommand } from './commands/bench.ts';
import type { Finish } from './commands/command.ts';
import { compareCommand } from './commands/compare.ts';
import { deidentifyCommand } from './commands/deidentify.ts';
import { doctorCommand } from './commands/doctor.ts';
import { extractCommand } from './commands/extract.ts';
import { featuresCommand } from './commands/features.ts';
import { infoCommand } from './commands/info.ts';
import { mergeCommand } from './commands/merge.ts';
import { regionCommand } from './commands/region.ts';
import { demoCommand, serveCommand } from './commands/serve.ts';
import { studyCommand } from './commands/study/study-command.ts';
import { synthesizeCommand } from './commands/synthesize.ts';
import { tasksCommand } from './commands/tasks.ts';
import { EXIT, EXIT_CODE_HELP, exitCodeOf } from './exit-codes.ts';
import { appVersion } from './installation.ts';
import { formatError } from './terminal.ts';

const COMMANDS: readonly ((finish: Finish) => Command)[] = [
  infoCommand,
  regionCommand,
  deidentifyCommand,
  analyzeCommand,
  compareCommand,
  benchCommand,
  tasksCommand,
  extractCommand,
  featuresCommand,
  mergeCommand,
  studyCommand,
  serveCommand,
  demoCommand,
  backboneCommand,
  synthesizeCommand,
  doctorCommand,
];

/** Runs the command line (arguments without node and script) and returns the exit code. Never rejects. */
export async function main(argv: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = new Command('hyaline')
    .description('Reads whole-slide images on this machine and explains them without drawn annotations.')
    .version(appVersion())
    .addHelpText('after', `\n${EXIT_CODE_HELP}`)
    // Options behind the name of a command are that command's own, also where the one around it has the same.
    .enablePositionalOptions()
    .exitOverride();
  for (const make of COMMANDS) {
    const command = make((code) => {
      exitCode = code;
    });
    program.addCommand(neverExits(command));
  }
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    }
    return reportFailure(error, argv.includes('--json'));
  }
}

/** Commander ends the process by itself unless every command is told to throw instead. */
function neverExits(command: Command): Command {
  command.commands.forEach(neverExits);
  return command.exitOverride();
}

function reportFailure(error: unknown, json: boolean): number {
  const known = error instanceof AppError ? error : fromErrorPayload(toErrorPayload(error));
  if (json) {
    process.stdout.write(`${JSON.stringify({ error: toErrorPayload(known) }, null, 2)}\n`);
  }
  process.stderr.write(`${formatError(known)}\n`);
  return exitCodeOf(known);
}
