import './environment.ts';
import {
  CLI_ARGUMENT,
  DEVICE_TEST_ARGUMENT,
  type DeviceTestAnswer,
  type ToEngine,
  type UtilityStart,
} from '../../src-shared/api/engine-link.ts';
import { portEndpoint } from '../../src-shared/rpc/port-endpoint.ts';
import { createEngine } from '../engine/create-engine.ts';
import type { EngineOptions } from '../engine/engine.ts';
import { trialsThroughParent, tryDevice } from './engine/device-trial.ts';
import { type ParentLink, serveLink } from './engine/link-server.ts';
import { storeFolder } from './store-folder.ts';

/**
 * The parent port of an Electron utility process, in the words used here. Written out, because Electron's types belong
 * to the shell; `e2e/electron` checks it against them.
 */
export interface UtilityParentPort {
  on(
    event: 'message',
    listener: (event: { readonly data: unknown; readonly ports: readonly UtilityPort[] }) => void,
  ): unknown;
  postMessage(message: unknown): void;
}

type UtilityPort = Parameters<typeof portEndpoint>[0];

/** The link of a utility process to the main process. Bodies are copied: this channel transfers ports only. */
export function parentPortLink(port: UtilityParentPort): ParentLink {
  return {
    post: (message) => port.postMessage(message),
    onMessage: (listener) => {
      port.on('message', ({ data, ports }) => {
        const client = ports[0];
        const message = data as ToEngine | DeviceTestAnswer;
        // The rest of the link knows nothing of devices: `trialsThroughParent` listens for these.
        if (message.type !== 'device-tested') listener(message, client === undefined ? null : portEndpoint(client));
      });
    },
  };
}

function parentPortOrExit(): UtilityParentPort {
  const { parentPort } = process as unknown as { readonly parentPort?: UtilityParentPort };
  if (parentPort !== undefined) return parentPort;
  process.stderr.write('This file runs the engine for the desktop application; it is not started by hand.\n');
  return process.exit(2);
}

async function runEngine(start: string): Promise<void> {
  const port = parentPortOrExit();
  const options: EngineOptions = {
    ...(JSON.parse(start) as UtilityStart),
    storeFolder: storeFolder(undefined),
    host: 'electron',
    ...trialsThroughParent(port),
  };
  await serveLink(
    parentPortLink(port),
    () => createEngine(options),
    () => process.exit(0),
  );
}

/** Tries one device and tells the main process what came of it, if it lives to tell. */
async function testDevice(trialJson: string): Promise<void> {
  const port = parentPortOrExit();
  port.postMessage(await tryDevice(trialJson));
}

const [first = '', ...rest] = process.argv.slice(2);
if (first === CLI_ARGUMENT) {
  // The packaged application started with a command: the same command line as without Electron.
  const { main } = await import('./cli.ts');
  process.exit(await main(rest));
} else if (first === DEVICE_TEST_ARGUMENT) {
  await testDevice(rest[0] ?? '');
} else {
  await runEngine(first);
}
