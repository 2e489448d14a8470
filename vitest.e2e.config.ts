import { defineConfig } from 'vitest/config';

/** End-to-end tests: two files at a time, each with its own host, store and browser; most of their time they wait. */
export default defineConfig({
  test: {
    pool: 'forks',
    include: ['e2e/web/**/*.test.ts', 'e2e/electron/**/*.test.ts'],
    env: { ORT_DISABLE_TELEMETRY: '1' },
    maxWorkers: 2,
    testTimeout: 300_000,
    hookTimeout: 120_000,
  },
});
