import type { CompareBackbone } from './contenders.ts';
import type { Bench, NetworkScores } from './network-scores.ts';
import type { PatchTask, SkippedTask } from './patch-task.ts';
import type { ProbeKind } from './probe-part.ts';
import type { TaskScore } from './score-task.ts';
import type { SlideTiles } from './slide-tiles.ts';

export interface CompareRequest {
  readonly tasks: readonly PatchTask[];
  readonly skipped: readonly SkippedTask[];
  readonly backbones: readonly CompareBackbone[];
  readonly probe: ProbeKind;
  /**
   * True: zero mean and unit variance learnt on each training part, so that the range of C fits every network, random
   * ones with tiny activations too. False: features as they are, as the papers take them.
   */
  readonly standardise: boolean;
  readonly seeds: readonly number[];
  /** One random twin of each trained backbone per seed; three or more make a standard deviation worth having. */
  readonly twinSeeds: readonly number[];
  readonly resamples: number;
  /** How much worse than the best the sweet spot may be. */
  readonly tolerance: number;
  /** Images of all tasks that CKA is computed on, at most; 0 = no CKA. */
  readonly ckaImages: number;
  /** Test images of a task that robustness is measured on, at most; 0 = it is not measured. */
  readonly robustnessImages: number;
  /** Slides whose maps are put under the same shifts, tiles drawn by the caller; none = it is not measured. */
  readonly slides?: readonly Pick<SlideTiles, 'name' | 'count' | 'read'>[] | undefined;
  /** Where the files of the random twins are kept. */
  readonly twinsFolder: string;
  readonly bench: Omit<Bench, 'settings' | 'probes'>;
  /** Told what stands behind a task's table: every judgement on every image, once per task. */
  readonly onJudged?: ((judged: JudgedTask) => void) | undefined;
}

/** A request with the threads its probes are fitted on. */
export type ReadyRequest = Omit<CompareRequest, 'bench'> & { readonly bench: Omit<Bench, 'settings'> };

/** A task with the judgements of every backbone, cut by cut and at the cut chosen in training (`chosen`). */
export interface JudgedTask {
  readonly task: PatchTask;
  readonly scores: readonly { readonly backbone: string; readonly cut: string; readonly score: TaskScore }[];
}

/** Everything known of one backbone, before tables are made of it. */
export interface Judged {
  readonly backbone: CompareBackbone;
  readonly own: NetworkScores;
  readonly twins: readonly NetworkScores[];
  readonly msPerImage: readonly number[];
}
