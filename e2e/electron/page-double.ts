import type { RunningShell } from '../../src-main/shell/testing/run-shell.ts';
import { ENGINE_PORT_CHANNEL } from '../../src-shared/api/shell-channels.ts';
import { connectEngine, type EngineConnection } from '../../src-shared/rpc/client.ts';
import { portEndpoint } from '../../src-shared/rpc/port-endpoint.ts';

/** Stands for the page of the newest window: asks the shell for an engine port and speaks the RPC over it. */
export async function connectPage(running: RunningShell): Promise<EngineConnection> {
  const { sent } = running.window().contents;
  const before = sent.length;
  const answer = await running.call('connectEngine');
  if (!answer.ok) throw Object.assign(new Error(answer.error.message), { code: answer.error.code });
  const port = sent.slice(before).find(({ channel }) => channel === ENGINE_PORT_CHANNEL)?.ports[0];
  if (port === undefined) throw new Error('the shell sent no port');
  return connectEngine(portEndpoint(port));
}

/** Waits, up to a minute, for something to become true. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 60_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
