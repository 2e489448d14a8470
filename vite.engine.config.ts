import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { defineConfig } from 'vite';

const WORKER_FOLDER = 'src-main/engine/worker';
/** Hosts that are entries of their own. `utility` is the process Electron forks. */
const HOSTS = { cli: 'src-main/host/cli.ts', utility: 'src-main/host/utility.ts' };

/** Worker threads find their entry as `NAME.worker.mjs` beside the chunk they are started from. */
function workerEntries(): Record<string, string> {
  const files = readdirSync(WORKER_FOLDER).filter(
    (name) => name.endsWith('.ts') && !name.endsWith('.test.ts') && name !== 'worker-url.ts',
  );
  return {
    'engine-thread.worker': 'src-main/host/engine-thread.ts',
    ...Object.fromEntries(files.map((name) => [`${basename(name, '.ts')}.worker`, join(WORKER_FOLDER, name)])),
  };
}

/** Engine, hosts and workers for Node: our own files bundled flat into dist/node, npm packages left where they are. */
export default defineConfig({
  publicDir: false,
  build: {
    ssr: true,
    outDir: 'dist/node',
    emptyOutDir: true,
    target: 'node22',
    minify: false,
    sourcemap: true,
    reportCompressedSize: false,
    rollupOptions: {
      input: {
        ...Object.fromEntries(Object.entries(HOSTS).filter(([, path]) => existsSync(path))),
        ...workerEntries(),
      },
      output: { format: 'es', entryFileNames: '[name].mjs', chunkFileNames: '[name]-[hash].mjs' },
    },
  },
});
