/**
 * Dynamic loss scaling: gradients are computed of scale x loss, so that small ones survive half precision; a step whose
 * gradients overflow is skipped and the scale shrinks, after enough good steps it grows (Micikevicius et al., 2018; the
 * defaults are those of torch.cuda.amp.GradScaler).
 */
export interface LossScale {
  readonly scale: number;
  /** Steps without an overflow since the scale last changed. */
  readonly goodSteps: number;
}

export const FIRST_LOSS_SCALE: LossScale = { scale: 65_536, goodSteps: 0 };

/** The scale of the next step. */
export function nextLossScale(
  { scale, goodSteps }: LossScale,
  overflowed: boolean,
  { growth = 2, backoff = 0.5, growthInterval = 2000 } = {},
): LossScale {
  if (overflowed) return { scale: scale * backoff, goodSteps: 0 };
  if (goodSteps + 1 >= growthInterval) return { scale: scale * growth, goodSteps: 0 };
  return { scale, goodSteps: goodSteps + 1 };
}
