import { defineConfig } from 'vite';

/** Electron's main process: one file with everything it needs but Electron itself. */
export default defineConfig({
  publicDir: false,
  ssr: { noExternal: true, external: ['electron'] },
  build: {
    ssr: 'src-main/shell/main.ts',
    outDir: 'dist/shell',
    emptyOutDir: true,
    target: 'node24',
    minify: false,
    sourcemap: true,
    reportCompressedSize: false,
    rollupOptions: { output: { format: 'es', entryFileNames: 'main.mjs', codeSplitting: false } },
  },
});
