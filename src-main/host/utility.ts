import './environment.ts';
import type { EngineStart, ToEngine } from '../../src-shared/api/engine-link.ts';
import { portEndpoint } from '../../src-shared/rpc/port-endpoint.ts';
import { createEngine } from '../engine/create-engine.ts';
import { type ParentLink, serveLink } from './engine/link-server.ts';

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
        listener(data as ToEngine, client === undefined ? null : portEndpoint(client));
      });
    },
  };
}

const { parentPort } = process as unknown as { readonly parentPort?: UtilityParentPort };
const start = process.argv[2];

if (parentPort === undefined || start === undefined) {
  process.stderr.write('This file runs the engine for the desktop application; it is not started by hand.\n');
  process.exit(2);
}

await serveLink(
  parentPortLink(parentPort),
  () => createEngine({ ...(JSON.parse(start) as EngineStart), host: 'electron' }),
  () => process.exit(0),
);
