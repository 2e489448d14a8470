import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const TILES: readonly number[] = [10_000, 100_000];

/** Peak memory of an extraction of 10,000 and of 100,000 tiles, each in a process of its own. Takes minutes. */
export async function bench(): Promise<void> {
  const script = fileURLToPath(new URL('memory-run.ts', import.meta.url));
  for (const tiles of TILES) {
    const { status } = spawnSync(process.execPath, [script, String(tiles)], {
      stdio: 'inherit',
      env: { ...process.env, ORT_DISABLE_TELEMETRY: '1' },
    });
    if (status !== 0) throw new Error(`the extraction of ${tiles} tiles ended with ${status}`);
  }
}
