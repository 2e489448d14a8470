import type { Engine } from '../engine/engine.ts';
import { installation } from './installation.ts';

/** Starts the engine in this process, for commands that do one thing and end. Loaded late: `--help` needs none of it. */
export async function openEngine(
  storeFolder: string,
  threads: number,
  catalogueMirror: string | null = null,
): Promise<Engine> {
  const { createEngine } = await import('../engine/create-engine.ts');
  return createEngine({
    storeFolder,
    resourcesFolder: installation.resourcesFolder,
    host: 'cli',
    threads,
    catalogueMirror,
  });
}
