import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackboneCard } from '../../../../src-shared/model/backbone.ts';
import type { ExtractionRequest } from '../../../../src-shared/model/extraction.ts';
import type { BackboneId, SlideId } from '../../../../src-shared/model/ids.ts';
import { asId } from '../../../../src-shared/model/ids.ts';
import type { Job } from '../../../../src-shared/model/job.ts';
import { DEFAULT_TISSUE } from '../../../../src-shared/model/run.ts';
import { backbonePath } from '../../backbone/registry.ts';
import { cutModel } from '../../graph/cut.ts';
import { encodeModel } from '../../graph/proto.ts';
import { InferenceWorker } from '../../infer/inference-worker.ts';
import { readModelFile } from '../../infer/model-file.ts';
import { type JobQueue, openJobQueue } from '../../job/queue.ts';
import { BackboneService } from '../../service/backbones.ts';
import { DEVICE_SETTING, DeviceService } from '../../service/device-service.ts';
import { SlideLibrary } from '../../service/slide-library.ts';
import { TissueService } from '../../service/tissue-service.ts';
import { openStore } from '../../store/open-store.ts';
import type { OpenedStore } from '../../store/store.ts';
import { ExtractionService } from '../extraction-service.ts';

/** What of an engine an extraction needs, on the CPU with one thread, with a backbone that takes tiny tiles. */
export interface SmallEngine {
  readonly store: OpenedStore;
  readonly library: SlideLibrary;
  readonly queue: JobQueue;
  readonly extraction: ExtractionService;
  readonly backbone: BackboneCard;
  /** Resolves when no job is queued or running. */
  idle(): Promise<readonly Job[]>;
  close(): Promise<void>;
}

const INPUT_PX = 32;

export interface SmallEngineOptions {
  readonly bytesFree?: number;
  readonly onTiles?: (done: number) => void;
  /** Side of the tiles the backbone takes; 32 where it is absent. */
  readonly inputPx?: number;
}

export async function openSmallEngine(folder: string, options: SmallEngineOptions = {}): Promise<SmallEngine> {
  const store = await openStore({ folder, slowMs: Number.POSITIVE_INFINITY });
  await store.setSetting(DEVICE_SETTING, 'cpu');
  const worker = new InferenceWorker();
  const library = new SlideLibrary(store);
  const backbones = new BackboneService(folder, store, worker);
  const { bytesFree } = options;
  const extraction = new ExtractionService({
    ...{ store, library, backbones, worker },
    tissue: new TissueService(library),
    device: new DeviceService({ store, threads: 1 }),
    storeFolder: folder,
    versions: {},
    onRunChanged: () => undefined,
    ...(bytesFree === undefined ? {} : { bytesFree: async () => bytesFree }),
  });
  const { runner } = extraction;
  const queue = await openJobQueue({
    store,
    runners: {
      extract: runner,
      compare: runner,
      'fine-tune': runner,
      'make-task': runner,
      analyse: runner,
      study: runner,
      'demo-slide': runner,
      download: runner,
    },
    emit: (event) => {
      if (event.type === 'job') options.onTiles?.(event.job.progress.done);
    },
    eventMs: 1,
  });
  return {
    store,
    library,
    queue,
    extraction,
    backbone: await smallBackbone(folder, backbones, store, options.inputPx ?? INPUT_PX),
    idle: async () => {
      while (queue.list().some(({ state }) => state === 'queued' || state === 'running')) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      return queue.list();
    },
    close: async () => {
      await queue.close();
      await worker.close();
      await library.close();
      await store.close();
    },
  };
}

/** The first layers of the built-in network under another id, with a card that asks for tiny tiles. */
async function smallBackbone(
  folder: string,
  backbones: BackboneService,
  store: OpenedStore,
  inputPx: number,
): Promise<BackboneCard> {
  const [builtIn] = await backbones.list();
  if (builtIn === undefined) throw new Error('there is no built-in backbone');
  const input = { ...builtIn.input, widthPx: inputPx, heightPx: inputPx };
  const id = asId<BackboneId>('5'.repeat(64));
  const card = { ...builtIn, id, input, name: 'small', builtIn: false };
  const path = backbonePath(join(folder, 'backbones'), id);
  if ((await stat(path).catch(() => null)) === null) {
    const whole = await readModelFile(backbonePath(join(folder, 'backbones'), builtIn.id));
    const deepest = builtIn.cuts.filter(({ name }) => name === 'layer1').map((cut) => ({ ...cut, output: 'out' }));
    await writeFile(path, encodeModel(cutModel(whole, deepest)));
    await store.putBackbone({ card, fileName: `${id}.onnx` });
  }
  return card;
}

/** Two cuts of the small backbone on overlapping 40 µm tiles. */
export function smallRequest(
  slideIds: readonly SlideId[],
  backbone: BackboneCard,
  change: Partial<ExtractionRequest> = {},
): ExtractionRequest {
  return {
    slideIds,
    targets: [
      { backboneId: backbone.id, cut: 'stem' },
      { backboneId: backbone.id, cut: 'layer1' },
    ],
    grid: { mpp: 0.5, tileUm: 40, strideUm: 20, minTissueFraction: 0.5 },
    tissue: { ...DEFAULT_TISSUE, maskMpp: 4, minTissueUm2: 2000 },
    precision: 'float32',
    stain: null,
    ...change,
  };
}
