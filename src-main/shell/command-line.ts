import { CLI_ARGUMENT } from '../../src-shared/api/engine-link.ts';
import type { ElectronParts } from './electron.ts';

/** First arguments that mean the command line instead of a window. `e2e/electron` checks them against its help. */
export const CLI_COMMANDS: readonly string[] = [
  'info',
  'analyze',
  'serve',
  'demo',
  'synthesize',
  'doctor',
  'help',
  '--help',
  '-h',
  '--version',
  '-V',
];

/** The arguments for the command line; null when the application is to open. */
export function commandLineArguments(argv: readonly string[], skip: number): readonly string[] | null {
  const args = argv.slice(skip);
  return CLI_COMMANDS.includes(args[0] ?? '') ? args : null;
}

/** Runs a command in a process of its own, with this one's output, and ends the application with its exit code. */
export async function runCommandLine(
  parts: Pick<ElectronParts, 'app' | 'utilityProcess'>,
  modulePath: string,
  args: readonly string[],
  env: Record<string, string>,
): Promise<void> {
  await parts.app.whenReady();
  const child = parts.utilityProcess.fork(modulePath, [CLI_ARGUMENT, ...args], { stdio: 'inherit', env });
  const code = await new Promise<number>((resolve) => child.once('exit', resolve));
  parts.app.exit(code);
}
