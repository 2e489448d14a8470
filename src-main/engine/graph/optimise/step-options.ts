import type { Dims } from '../autodiff/shapes.ts';
import type { OnnxModel } from '../model.ts';
import type { OptimiserSpec, ParameterGroup } from './optimiser.ts';

export interface TrainingStepOptions {
  readonly model: OnnxModel;
  /** Name of a value with one element. */
  readonly loss: string;
  readonly groups: readonly ParameterGroup[];
  readonly optimiser: OptimiserSpec;
  /** Largest norm of all gradients together; null = no clipping. */
  readonly clipNorm: number | null;
  /** Values of the forward pass to give out beside the loss (predictions, attention, ...). */
  readonly watch: readonly string[];
  /** Shapes of the data inputs; sizes of bags and batches may be symbols. */
  readonly inputDims: Readonly<Record<string, Dims>>;
  /** True: gradients of several micro-batches are added up before one update (two graphs). */
  readonly accumulate?: boolean;
  /** True: the loss is scaled by the input `loss_scale`; a step whose gradients overflow changes nothing. */
  readonly lossScaling?: boolean;
  /** BatchNormalization: with its stored statistics (the default, bit-identical afterwards), or the batch's own. */
  readonly batchNorm?: 'frozen' | 'batch';
}

/** Name of the input that holds the learning rate of a group. */
export const rateInput = (group: string): string => `rate/${group}`;
/** Name of the input that holds the summed gradient of a parameter. */
export const gradientInput = (parameter: string): string => `gradient/${parameter}`;
export const LOSS_SCALE = 'loss_scale';
export const GRADIENT_SCALE = 'gradient_scale';
