import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

/**
 * The page: one bundle that the web host and Electron's own scheme serve alike. Nothing is inlined, because the
 * content security policy allows neither inline scripts nor data: fonts.
 */
export default defineConfig({
  root: 'src-renderer',
  base: './',
  publicDir: false,
  plugins: [
    svelte({
      configFile: false,
      compilerOptions: { runes: true },
      // Lucide's icons are written for the legacy mode.
      dynamicCompileOptions: ({ filename }) => (filename.includes('node_modules') ? { runes: undefined } : undefined),
    }),
  ],
  build: {
    outDir: '../dist/renderer',
    emptyOutDir: true,
    target: 'es2024',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1200,
    sourcemap: false,
    reportCompressedSize: false,
  },
});
