import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { CardEdits } from '../../../src-shared/api/engine.ts';
import { AppError } from '../../../src-shared/errors.ts';
import type { BackboneCard, CutPoint } from '../../../src-shared/model/backbone.ts';
import type { BackboneId } from '../../../src-shared/model/ids.ts';
import { InferenceWorker } from '../infer/inference-worker.ts';
import type { CalibrationTiles } from '../infer/protocol.ts';
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
 * Checks a backbone file (ONNX, .safetensors, PyTorch checkpoint) and stores it in the folder of backbones as one ONNX
 * file. Nothing stays behind where it fails; importing the same file again gives the same card.
 *
 * @throws AppError FileUnreadable, BackboneUnreadable, BackboneShapeUnsupported, BackboneFailed, DiskFull,
 * and NotAllowed for a pickle that names code.
 */
export async function prepareImport(
  filePath: string,
  edits: CardEdits,
  backbonesFolder: string,
  running?: InferenceWorker,
): Promise<BackboneCard> {
  return storeMade(backbonesFolder, running, (worker, copyTo) => {
    return worker.call('inspect', { modelPath: filePath, edits, copyTo });
  });
}

/**
 * Makes a backbone with random weights: a network of the builder by its architecture's name, or the twin of a stored
 * backbone, as the control of a study. The seed fixes every bit.
 *
 * @throws AppError NotFound, DiskFull.
 */
export function prepareRandom(
  of: string | BackboneCard,
  seed: number,
  backbonesFolder: string,
  running?: InferenceWorker,
): Promise<BackboneCard> {
  const source = typeof of === 'string' ? of : { modelPath: backbonePath(backbonesFolder, of.id), card: of };
  return storeMade(backbonesFolder, running, (worker, path) => worker.call('makeRandom', { of: source, seed, path }));
}

/**
 * Makes a copy of a backbone whose BatchNorm layers carry the statistics of the given tiles, in the place of the
 * defaults or of what it was trained on.
 *
 * @throws AppError InvalidRequest for fewer than two tiles, BackboneFailed, DiskFull.
 */
export function prepareCalibrated(
  card: BackboneCard,
  tiles: CalibrationTiles,
  backbonesFolder: string,
  running?: InferenceWorker,
): Promise<BackboneCard> {
  const modelPath = backbonePath(backbonesFolder, card.id);
  return storeMade(backbonesFolder, running, (worker, path) => {
    return worker.call('calibrate', { modelPath, card: { ...card, name: `${card.name}-calibrated` }, tiles, path });
  });
}

/**
 * Writes one cut of a backbone as an ONNX file of its own: dead layers gone, pooled features as its output.
 *
 * @returns the size of the file in bytes.
 * @throws AppError NotFound for an unknown cut, DiskFull.
 */
export async function exportCut(
  card: BackboneCard,
  cutName: string,
  backbonesFolder: string,
  outPath: string,
  running?: InferenceWorker,
): Promise<number> {
  const cut = findCut(card, cutName);
  const modelPath = backbonePath(backbonesFolder, card.id);
  return withWorker(running, (worker) => worker.call('exportCut', { modelPath, card, cut, path: outPath }));
}

/** A cut by its name; null = the card's default. @throws AppError NotFound. */
export function findCut(card: BackboneCard, name: string | null): CutPoint {
  const cut = card.cuts.find((point) => point.name === (name ?? card.defaultCut));
  if (cut) return cut;
  throw new AppError('NotFound', `The backbone "${card.name}" has no cut called "${name}".`, {
    advice: `Its cuts are ${card.cuts.map((point) => point.name).join(', ')}.`,
  });
}

/** Has the worker write a file under a passing name, then gives it its own; nothing stays behind on failure. */
async function storeMade(
  backbonesFolder: string,
  running: InferenceWorker | undefined,
  make: (worker: InferenceWorker, path: string) => Promise<BackboneCard>,
): Promise<BackboneCard> {
  await mkdir(backbonesFolder, { recursive: true });
  const passing = join(backbonesFolder, `import-${process.pid}-${crypto.randomUUID()}.tmp`);
  try {
    const card = await withWorker(running, (worker) => make(worker, passing));
    await rename(passing, backbonePath(backbonesFolder, card.id));
    return card;
  } finally {
    await rm(passing, { force: true });
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
