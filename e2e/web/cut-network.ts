import { spawn, spawnSync } from 'node:child_process';

/** A network namespace with nothing but loopback, alive until disposed of. */
export interface CutNetwork {
  /** Put before a command, runs it there. */
  readonly wrap: readonly string[];
  dispose(): void;
}

/** Makes such a namespace; null where the system does not permit it (not Linux, no privilege, no `ip`). */
export async function cutNetwork(): Promise<CutNetwork | null> {
  if (process.platform !== 'linux') {
    return null;
  }
  const isRoot = process.getuid?.() === 0;
  const holder = spawn(
    'unshare',
    [isRoot ? '-n' : '-rn', 'sh', '-c', 'ip link set lo up && echo up && exec sleep 3600'],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  const isUp = await new Promise<boolean>((resolve) => {
    holder.once('error', () => resolve(false));
    holder.once('exit', () => resolve(false));
    holder.stdout.once('data', () => resolve(true));
  });
  if (!isUp || holder.pid === undefined) {
    return null;
  }
  const enter = isRoot ? ['-n'] : ['-U', '--preserve-credentials', '-n'];
  const wrap = ['nsenter', '-t', String(holder.pid), ...enter, '--'];
  if (spawnSync(wrap[0] ?? '', [...wrap.slice(1), 'true']).status !== 0) {
    holder.kill();
    return null;
  }
  return { wrap, dispose: () => void holder.kill() };
}

/** How a connection to another machine ends from inside: `ENETUNREACH` where the network is cut. */
export function outsideError(network: CutNetwork): string {
  const script =
    "require('net').connect(53, '192.0.2.1').on('error', (e) => console.log(e.code)).on('connect', () => console.log('open'))";
  const [program = '', ...args] = [...network.wrap, process.execPath, '-e', script];
  return spawnSync(program, args, { encoding: 'utf8', timeout: 20_000 }).stdout.trim();
}
