/**
 * Update rules as graph nodes. Each parameter carries its own state tensors of the parameter's shape; numbers that
 * change from step to step (learning rates, bias corrections) are inputs of one element, so that one graph serves the
 * whole training.
 */
export type OptimiserSpec =
  | {
      /** `adam` couples weight decay into the gradient (PyTorch's Adam); `adamw` decays the weights themselves. */
      readonly kind: 'adam' | 'adamw';
      readonly beta1: number;
      readonly beta2: number;
      readonly epsilon: number;
    }
  | { readonly kind: 'sgd'; readonly momentum: number };

export const ADAM: OptimiserSpec = { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
export const ADAMW: OptimiserSpec = { ...ADAM, kind: 'adamw' };

/** A set of parameters with a learning rate and weight decay of its own. */
export interface ParameterGroup {
  readonly name: string;
  readonly parameters: readonly string[];
  readonly weightDecay: number;
}

/**
 * State tensors an optimiser keeps for one parameter, in the order the update takes and gives them. Those of Adam are the
 * decaying sums of gradients and of their squares: m / (1 - beta1) and v / (1 - beta2).
 */
export function stateNames(spec: OptimiserSpec): readonly string[] {
  return spec.kind === 'sgd' ? (spec.momentum > 0 ? ['momentum'] : []) : ['m', 'v'];
}

/** Bias corrections of Adam for step t = 1, 2, ...: 1 - beta^t; 1 for SGD (Kingma and Ba, 2015, algorithm 1). */
export function corrections(spec: OptimiserSpec, step: number): readonly [number, number] {
  return spec.kind === 'sgd' ? [1, 1] : [1 - spec.beta1 ** step, 1 - spec.beta2 ** step];
}
