import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { CardEdits } from '../../../src-shared/api/engine.ts';
import { AppError } from '../../../src-shared/errors.ts';
import type { BackboneCard } from '../../../src-shared/model/backbone.ts';
import type { BackboneId } from '../../../src-shared/model/ids.ts';
import { InferenceWorker } from '../infer/inference-worker.ts';
import { randomResNet18Card } from './random-resnet18.ts';

/** Where a backbone's file lies: its SHA-256 is its name. */
export function backbonePath(backbonesFolder: string, id: BackboneId): string {
  return join(backbonesFolder, `${id}.onnx`);
}

/** The cards of the backbones that come with Hyaline; nothing is read or written. */
export function builtInCards(): readonly BackboneCard[] {
  return [randomResNet18Card()];
}

/**
 * Makes sure the files of the built-in backbones are there, writing the missing ones (about a second each, on the
 * inference thread), and returns their cards.
 *
 * @param running an inference worker to use; else one is started if needed and ended again.
 * @throws AppError DiskFull, Internal.
 */
export async function ensureBuiltIns(
  backbonesFolder: string,
  running?: InferenceWorker,
): Promise<readonly BackboneCard[]> {
  const cards = builtInCards();
  await mkdir(backbonesFolder, { recursive: true });
  for (const card of cards) {
    const path = backbonePath(backbonesFolder, card.id);
    const size = await stat(path).then(
      (found) => found.size,
      () => -1,
    );
    if (size === card.sizeBytes) continue;
    const made = await withWorker(running, (worker) => worker.call('makeBuiltIn', { name: card.name, path }));
    if (made.id !== card.id) throw new AppError('Internal', `The built-in backbone ${card.name} came out different.`);
  }
  return cards;
}

/**
 * Checks an ONNX file and copies it into the folder of backbones, weights of a second file included. Nothing stays
 * behind where it fails; importing the same file again gives the same card.
 *
 * @throws AppError FileUnreadable, BackboneUnreadable, BackboneShapeUnsupported, BackboneFailed, DiskFull.
 */
export async function prepareImport(
  filePath: string,
  edits: CardEdits,
  backbonesFolder: string,
  running?: InferenceWorker,
): Promise<BackboneCard> {
  await mkdir(backbonesFolder, { recursive: true });
  const copyTo = join(backbonesFolder, `import-${process.pid}-${crypto.randomUUID()}.tmp`);
  try {
    const card = await withWorker(running, (worker) => {
      return worker.call('inspect', { modelPath: filePath, edits, copyTo });
    });
    await rename(copyTo, backbonePath(backbonesFolder, card.id));
    return card;
  } finally {
    await rm(copyTo, { force: true });
  }
}

async function withWorker<T>(
  running: InferenceWorker | undefined,
  work: (worker: InferenceWorker) => Promise<T>,
): Promise<T> {
  if (running) return work(running);
  const worker = new InferenceWorker();
  try {
    return await work(worker);
  } finally {
    await worker.close();
  }
}
