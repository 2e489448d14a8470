import { hasCode } from '../../../src-shared/errors.ts';
import type { RunId } from '../../../src-shared/model/ids.ts';
import type { DeviceStatus } from '../../../src-shared/model/installation.ts';
import type { Continuation, Provenance, Run } from '../../../src-shared/model/run.ts';
import type { ProviderName } from '../infer/protocol.ts';
import type { DeviceService } from '../service/device-service.ts';
import type { Store } from '../store/store.ts';

export interface DeviceParts {
  readonly store: Pick<Store, 'getRun' | 'updateRun' | 'nextTile'>;
  readonly device: Pick<DeviceService, 'choose' | 'fallBack'>;
  readonly versions: Readonly<Record<string, string>>;
  readonly onRunChanged: (run: Run) => void;
}

/**
 * Does the missing part of some runs on the device in use. A device that fails in the middle is left for the next, down
 * to the CPU, which goes on from the last stored chunks; every change of device is written into the records of the runs.
 *
 * @throws AppError whatever `compute` throws, DeviceFailed only from the CPU.
 */
export async function computeOnDevice(
  parts: DeviceParts,
  runs: readonly RunId[],
  compute: (provider: ProviderName) => Promise<void>,
): Promise<void> {
  const made = await Promise.all(runs.map((id) => parts.store.getRun(id)));
  const backbones = made.flatMap((run) => (run === null ? [] : [run.backboneId]));
  for (let chosen = await parts.device.choose(backbones); ; ) {
    for (const id of runs) await noteDevice(parts, id, chosen.status);
    try {
      await compute(chosen.provider);
      return;
    } catch (error) {
      if (chosen.provider === 'cpu' || !hasCode(error, 'DeviceFailed')) throw error;
      chosen = await parts.device.fallBack(
        chosen.provider,
        `It failed in the middle of a run: ${error.message}`,
        backbones,
      );
    }
  }
}

/** Writes into a run that is part done what goes on with it, where that is not what made the part. */
async function noteDevice(parts: DeviceParts, id: RunId, status: DeviceStatus): Promise<void> {
  const run = await parts.store.getRun(id);
  if (run === null || run.state === 'done') return;
  const { provenance } = run;
  const next: Continuation = {
    fromTile: await parts.store.nextTile(id),
    device: status.name,
    deviceDetail: status.detail,
    runtime: runtimeOf(parts.versions),
  };
  const { device, deviceDetail } = next;
  if (next.fromTile === 0) {
    const { continuedOn, ...fresh } = provenance;
    if (continuedOn === undefined && sameMaker(lastMaker(provenance), next)) return;
    parts.onRunChanged(
      await parts.store.updateRun(id, {
        provenance: { ...fresh, device, deviceDetail, deviceRefused: status.refused, versions: parts.versions },
      }),
    );
    return;
  }
  if (sameMaker(lastMaker(provenance), next)) return;
  const continuedOn = [...(provenance.continuedOn ?? []).filter(({ fromTile }) => fromTile < next.fromTile), next];
  parts.onRunChanged(await parts.store.updateRun(id, { provenance: { ...provenance, continuedOn } }));
}

type Maker = Omit<Continuation, 'fromTile'>;

function lastMaker({ device, deviceDetail, versions, continuedOn }: Provenance): Maker {
  return continuedOn?.at(-1) ?? { device, deviceDetail, runtime: runtimeOf(versions) };
}

function sameMaker(a: Maker, b: Maker): boolean {
  return a.device === b.device && processorOf(a) === processorOf(b) && a.runtime === b.runtime;
}

/** Without the threads in force now: a run keeps the number it began with. */
function processorOf({ deviceDetail }: Maker): string {
  return deviceDetail.replace(/, \d+ threads?$/, '');
}

function runtimeOf(versions: Readonly<Record<string, string>>): string {
  return versions['onnxruntime-node'] ?? '';
}
