import { defineConfig } from 'vitest/config';

/** End-to-end tests: one file at a time, each with its own host, store and browser; two at once starve each other on two cores. */
export default defineConfig({
  test: {
    pool: 'forks',
    include: ['e2e/web/**/*.test.ts', 'e2e/electron/**/*.test.ts'],
    env: { ORT_DISABLE_TELEMETRY: '1' },
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 120_000,
    // A page that lists a thousand slides on a busy machine does not answer within a second, the default.
    expect: { poll: { timeout: 30_000 } },
  },
});
