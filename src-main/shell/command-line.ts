import { CLI_ARGUMENT } from '../../src-shared/api/engine-link.ts';
import type { ElectronParts } from './electron.ts';

const ABOUT_THE_COMMAND_LINE: readonly string[] = ['--help', '-h', '--version', '-V'];

/**
 * The arguments for the command line; null when the application is to open. A command is a plain word: files come from
 * the system with their whole path, and their names have an extension. Which words are commands is the command line's
 * own business; it answers an unknown one.
 */
export function commandLineArguments(argv: readonly string[], skip: number): readonly string[] | null {
  const args = argv.slice(skip);
  const [first = ''] = args;
  return /^[a-z][a-z-]*$/.test(first) || ABOUT_THE_COMMAND_LINE.includes(first) ? args : null;
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
