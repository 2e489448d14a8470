import { DEVICE_TEST_ARGUMENT, type UtilityStart } from '../../src-shared/api/engine-link.ts';
import { commandLineArguments, runCommandLine } from './command-line.ts';
import { composeShell, type Shell } from './compose.ts';
import type { ElectronParts, EngineChild } from './electron.ts';
import { filesInArguments } from './open-files.ts';
import { type ShellPaths, shellPaths } from './paths.ts';
import { registerAppScheme } from './protocol.ts';
import type { RestartLimits } from './restart-policy.ts';
import { EngineSupervisor } from './supervisor.ts';

/** The process around the shell, given from outside so that tests can be another. */
export interface ShellEnvironment {
  readonly platform: NodeJS.Platform;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly workingFolder: string;
  /** Electron's `process.resourcesPath`. */
  readonly resourcesPath: string;
  readonly restartLimits?: RestartLimits;
}

/**
 * Starts the desktop application. What Electron wants before it is ready happens before this returns; the promise
 * settles when the first window is on its way, or with null when another instance
 * runs and has been told, or a command was given and has ended.
 */
export function startShell(parts: ElectronParts, environment: ShellEnvironment): Promise<Shell | null> {
  const { app } = parts;
  app.enableSandbox();
  registerAppScheme(parts.protocol);
  // Dumps stay on this machine: they may hold parts of a slide.
  parts.crashReporter.start({ uploadToServer: false });
  if (environment.platform === 'win32') app.setAppUserModelId('app.hyaline.workstation');
  const skip = app.isPackaged ? 1 : 2;
  const paths = shellPaths(app, environment.resourcesPath, environment.env);
  const command = commandLineArguments(environment.argv, skip);
  if (command !== null) {
    const env = engineEnvironment(environment.env, paths.cudaFolder);
    return runCommandLine(parts, paths.engine, command, env).then(() => null);
  }
  const firstFiles = filesInArguments(environment.argv, environment.workingFolder);
  if (!app.requestSingleInstanceLock()) {
    app.quit();
    return Promise.resolve(null);
  }
  const shell = composeShell(parts, environment.platform, paths, createSupervisor(parts, environment, paths));
  // macOS may send files before the application is ready.
  app.on('open-file', (event, path) => {
    event.preventDefault();
    shell.openFromOutside([path]);
  });
  app.on('second-instance', (_event, argv, workingFolder) => {
    shell.openFromOutside(filesInArguments(argv, workingFolder));
  });
  return app.whenReady().then(() => {
    shell.begin(firstFiles);
    return shell;
  });
}

function createSupervisor(parts: ElectronParts, environment: ShellEnvironment, paths: ShellPaths): EngineSupervisor {
  const start: UtilityStart = {
    resourcesFolder: paths.resourcesFolder,
    threads: 0,
  };
  const env = engineEnvironment(environment.env, paths.cudaFolder);
  const fork = (serviceName: string, stdio: 'inherit' | 'ignore', ...args: string[]): EngineChild =>
    parts.utilityProcess.fork(paths.engine, args, { serviceName, stdio, env });
  return new EngineSupervisor({
    ...(environment.restartLimits === undefined ? {} : { limits: environment.restartLimits }),
    fork: () => fork('Hyaline engine', 'inherit', JSON.stringify(start)),
    forkDeviceTest: (request) => fork('Hyaline device test', 'ignore', DEVICE_TEST_ARGUMENT, JSON.stringify(request)),
  });
}

/** The engine's environment: no telemetry of the inference runtime, no way to inject code or to become a plain Node. */
export function engineEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  cudaFolder: string | null,
): Record<string, string> {
  const blocked = new Set(['NODE_OPTIONS', 'ELECTRON_RUN_AS_NODE']);
  const kept = Object.entries(env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !blocked.has(entry[0]),
  );
  return {
    ...Object.fromEntries(kept),
    ORT_DISABLE_TELEMETRY: '1',
    ...(cudaFolder === null ? {} : { HYALINE_CUDA_FOLDER: cudaFolder }),
  };
}
