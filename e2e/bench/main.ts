import { existsSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';

/**
 * `npm run bench` and its named parts: `npm run bench -- start extract`. Every figure is a median of paired runs
 * against its reference in the same run; ratios count, the machine is named, and nothing here is a test.
 */
const PARTS = {
  start: 'start.ts',
  tiles: 'tiles.ts',
  slides: 'slides.ts',
  extract: 'extract.ts',
  bag: 'bag.ts',
  memory: 'memory.ts',
  backbones: 'backbones.ts',
  train: 'train.ts',
  cka: 'cka.ts',
  attention: 'attention.ts',
  unlike: 'unlike.ts',
} as const;
type Part = keyof typeof PARTS;

const DEFAULT_PARTS: readonly Part[] = ['start', 'tiles', 'extract'];

process.env.ORT_DISABLE_TELEMETRY = '1';
const wanted = process.argv.slice(2);
const isPart = (name: string): name is Part => name in PARTS;
const unknown = wanted.filter((name) => !isPart(name));
if (unknown.length > 0) {
  console.error(`No such benchmark: ${unknown.join(', ')}. There are: ${Object.keys(PARTS).join(', ')}.`);
  process.exit(2);
}

const processor = cpus()[0]?.model ?? 'unknown processor';
const gigabytes = (totalmem() / 2 ** 30).toFixed(0);
console.log(
  `${processor}, ${cpus().length} threads, ${gigabytes} GiB, ${process.platform}, Node ${process.versions.node}`,
);
console.log(`load before the run: ${(loadavg()[0] ?? 0).toFixed(2)}`);
for (const part of wanted.length > 0 ? wanted.filter(isPart) : DEFAULT_PARTS) {
  const path = fileURLToPath(new URL(PARTS[part], import.meta.url));
  if (!existsSync(path)) {
    console.error(`The benchmark ${part} is not part of this checkout.`);
    process.exitCode = 1;
    continue;
  }
  console.log(`\n${part}`);
  const { bench } = (await import(path)) as { readonly bench: () => Promise<void> };
  await bench();
}
