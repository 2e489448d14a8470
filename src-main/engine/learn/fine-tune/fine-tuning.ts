import type { CutPoint, InputSpec } from '../../../../src-shared/model/backbone.ts';
import type { TrainedOn } from '../../../../src-shared/model/study.ts';
import type { HeadWeights } from '../evaluate-head.ts';
import type { HeadSpec } from '../head-spec.ts';
import type { EpochRecord } from '../train-head.ts';
import type { TrainingDevices } from '../training-devices.ts';

/** The chosen tiles of a slide as the network sees them. */
export interface PixelBag {
  /** Interleaved RGB, tile after tile, each of the network's input size. */
  readonly pixels: Uint8Array;
  /** Index of the slide's class. */
  readonly label: number;
}

/** Gives bags of pixels one at a time, so that an archive need not fit into memory. */
export interface PixelBagSet {
  readonly count: number;
  get(index: number): Promise<PixelBag>;
}

export interface FineTuning {
  readonly cut: CutPoint;
  /** A cut in front of `cut`: it and all before it stays as it is; null = everything is trained. */
  readonly frozenUpTo: CutPoint | null;
  readonly input: InputSpec;
  readonly inputName: string;
  readonly head: HeadSpec;
  /** The head of stage 1, copied. */
  readonly headWeights: HeadWeights;
  readonly rate: number;
  /** Learning rate of the head. */
  readonly headRate: number;
  readonly epochs: number;
  readonly keepBestBy: 'loss' | 'accuracy';
  readonly classWeights: readonly number[];
  /** Tiles of a slide drawn anew for each step; null = all that were chosen. */
  readonly tilesPerStep: number | null;
  /** Tiles that go through the network at once; larger bags go in parts, with the gradient of the whole. */
  readonly tilesAtOnce: number;
  /** Seed of the order of slides and of the tiles of a step. */
  readonly seed: number;
  /** Threads; 0 = all cores. */
  readonly threads: number;
  /** Where the state is kept after each epoch, to go on after a stop; null = nowhere. */
  readonly checkpointPath: string | null;
  /** Names this very training: only a checkpoint with the same key is gone on with. */
  readonly checkpointKey: string;
}

export interface FineTuned {
  /** Constants of the backbone that were trained, by name. */
  readonly encoder: ReadonlyMap<string, Float32Array>;
  readonly head: HeadWeights;
  readonly bestEpoch: number;
  readonly history: readonly EpochRecord[];
  readonly trainedOn: TrainedOn;
}

export interface FineTuningHooks {
  readonly onEpoch?: (record: EpochRecord) => void;
  /** Called after each step with the steps done in all. */
  readonly onStep?: (done: number) => void;
  readonly signal?: AbortSignal;
  /** What it may run on; the CPU alone where left out. After a failure it goes on from the last whole epoch that was kept. */
  readonly devices?: TrainingDevices;
}
