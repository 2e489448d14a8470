import type { Provenance, Run } from '../../../src-shared/model/run.ts';
import type { StainNormalisation } from '../../../src-shared/model/stain.ts';
import type { LaidGrid } from '../grid/laid-grid.ts';
import type { UsableBackbone } from '../service/backbones.ts';
import type { DeviceService } from '../service/device-service.ts';
import { pixelSizeInForce, type SlideLibrary } from '../service/slide-library.ts';
import { newRun } from '../store/new-run.ts';
import type { RunIdentity, Store } from '../store/store.ts';

/** Tiles the network takes at once: enough to fill the cores, few enough for a moving progress bar. */
const BATCH_SIZE = 16;

export interface RunParts {
  readonly store: Store;
  readonly library: SlideLibrary;
  readonly device: Pick<DeviceService, 'choose' | 'status' | 'fallBack' | 'threads'>;
  readonly versions: Readonly<Record<string, string>>;
}

/** The run of this identity: the one that is stored, else a new one without features. The grid must be stored. */
export async function findOrCreateRun(
  parts: RunParts,
  identity: RunIdentity,
  backbone: UsableBackbone,
  laid: LaidGrid,
  stain: StainNormalisation | null,
): Promise<Run> {
  const known = await parts.store.findRun(identity);
  if (known !== null) return known;
  const provenance = await provenanceOf(parts, identity, backbone, laid, stain);
  const run = newRun(provenance, laid);
  try {
    await parts.store.createRun(run);
  } catch (error) {
    // Another request may have made it meanwhile.
    const made = await parts.store.findRun(identity);
    if (made === null) throw error;
    return made;
  }
  return run;
}

async function provenanceOf(
  { library, device, versions }: RunParts,
  identity: RunIdentity,
  { card, cut }: UsableBackbone,
  { grid }: LaidGrid,
  stain: StainNormalisation | null,
): Promise<Provenance> {
  const record = await library.record(identity.slideId);
  const mpp = pixelSizeInForce(record);
  const status = await device.status();
  return {
    ...identity,
    slideReader: record.info.reader,
    mppUm: mpp === null ? Number.NaN : (mpp.xUm + mpp.yUm) / 2,
    mppSource: mpp?.source ?? 'user',
    backboneName: card.name,
    backboneOrigin: card.origin,
    featureDim: cut.featureDim,
    input: card.input,
    grid: grid.spec,
    tissue: grid.tissue,
    batchSize: BATCH_SIZE,
    threads: device.threads,
    device: status.name,
    deviceDetail: status.detail,
    deviceRefused: status.refused,
    seed: 0,
    ...(stain === null ? {} : { stain }),
    versions,
  };
}
