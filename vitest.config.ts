import { defineConfig } from 'vitest/config';

/** Unit and integration tests. Forks, because the environment must reach onnxruntime before it loads. */
export default defineConfig({
  test: {
    pool: 'forks',
    include: [
      'src-shared/**/*.test.ts',
      'src-main/**/*.test.ts',
      'src-renderer/**/*.test.ts',
      'e2e/house/**/*.test.ts',
    ],
    env: { ORT_DISABLE_TELEMETRY: '1' },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
