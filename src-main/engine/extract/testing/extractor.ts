import { openSmallEngine, smallRequest } from './small-engine.ts';

/**
 * A process that extracts one slide: `extractor.ts STORE SLIDE STRIDE_UM`. Says `computing` when it begins, a line a
 * step after that, and `done` at the end.
 */
const [folder = '', slidePath = '', strideUm = '20'] = process.argv.slice(2);

const say = (line: string): void => void process.stdout.write(`${line}\n`);
let [begun, ended] = [false, false];
const engine = await openSmallEngine(folder, {
  onTiles: (done) => {
    if (!ended) say(begun ? `tiles ${done}` : 'computing');
    begun = true;
  },
});
const { id } = await engine.library.add(slidePath);
await engine.library.setMpp(id, 0.5);
const grid = { mpp: 0.5, tileUm: 40, strideUm: Number(strideUm), minTissueFraction: 0.5 };
const { jobs } = await engine.extraction.start(smallRequest([id], engine.backbone, { grid }), engine.queue);
await engine.idle();
ended = true;
say(jobs[0]?.jobId === null ? 'nothing left' : 'done');
await engine.close();
