import { asId } from '../../../../src-shared/model/ids.ts';
import { openStore } from '../open-store.ts';
import { sampleChunk } from './samples.ts';

/** A process that appends chunks to a run as fast as it can and says on stdout how many tiles are stored. */
const [folder = '', runId = '', tilesPerChunk = '4'] = process.argv.slice(2);

const store = await openStore({ folder });
const run = await store.getRun(asId(runId));
if (run === null) throw new Error('no such run');
const size = Number(tilesPerChunk);
for (let tile = await store.nextTile(run.id); tile + size <= run.tileCount; tile += size) {
  process.stdout.write(`${await store.appendFeatures(sampleChunk(run, tile, size))}\n`);
}
await store.close();
