/** The worker-thread entries. In source they are `worker/NAME.ts`; the build puts them beside every chunk. */
export type WorkerName =
  | 'attend'
  | 'codec'
  | 'compare'
  | 'decode'
  | 'infer'
  | 'map'
  | 'mil-trial'
  | 'patch-probe'
  | 'probe'
  | 'store'
  | 'synthesize'
  | 'train'
  | 'train-probe';

/** Where a worker's entry lies: the TypeScript source when run from source (Node strips types), else the built file. */
export function workerUrl(name: WorkerName): URL {
  return import.meta.url.endsWith('.ts')
    ? new URL(`./${name}.ts`, import.meta.url)
    : new URL(`./${name}.worker.mjs`, import.meta.url);
}
