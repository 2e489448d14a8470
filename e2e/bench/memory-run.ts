import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSmallEngine, smallRequest } from '../../src-main/engine/extract/testing/small-engine.ts';
import { writeStripedSlide } from '../../src-main/engine/extract/testing/striped-slide.ts';

/**
 * Peak memory of this process while it extracts about as many 224 px tiles as asked for, into a store, on a slide
 * painted for it: `memory-run.ts TILES`. The network is ResNet18 cut after its stem, so that it takes minutes.
 */
const [wanted = '10000'] = process.argv.slice(2);
const SIDE_PX = 8000;
const folder = await mkdtemp(join(tmpdir(), 'hyaline-memory-'));
const slidePath = join(folder, 'slide.tif');
await writeStripedSlide(slidePath, SIDE_PX);
const engine = await openSmallEngine(join(folder, 'store'), { inputPx: 224 });
const { id } = await engine.library.add(slidePath);
await engine.library.setMpp(id, 0.5);
const strideUm = (SIDE_PX * 0.5) / Math.sqrt(Number(wanted));
const grid = { mpp: 0.5, tileUm: 112, strideUm, minTissueFraction: 0.5 };
const targets = [{ backboneId: engine.backbone.id, cut: 'stem' }];
const tissue = { ...smallRequest([], engine.backbone).tissue, maskMpp: 8 };
let peakBytes = 0;
const watch = setInterval(() => {
  peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
}, 100);
const beganMs = performance.now();
const request = smallRequest([id], engine.backbone, { grid, targets, tissue });
const { forecast } = await engine.extraction.start(request, engine.queue);
const [job] = await engine.idle();
clearInterval(watch);
if (job?.error) throw new Error(JSON.stringify(job.error));
const tiles = forecast.slides[0]?.tileCount ?? 0;
const seconds = (performance.now() - beganMs) / 1000;
console.log(
  `  ${tiles} tiles, ${job?.state}: peak ${(peakBytes / 1e6).toFixed(0)} MB (aim: flat, below 1500), ${(tiles / seconds).toFixed(0)} tiles/s`,
);
await engine.close();
await rm(folder, { recursive: true, force: true });
