/** What a weight is for: decides how it is drawn at random and how it is reported. */
export type WeightRole =
  | 'conv'
  | 'linear'
  | 'bias'
  | 'norm-scale'
  | 'norm-shift'
  | 'running-mean'
  | 'running-var'
  | 'embedding'
  | 'layer-scale';

/** One learned tensor of a network, named as in the reference implementation's checkpoint. */
export interface WeightSpec {
  readonly name: string;
  /** Row-major; convolutions are [out, in / groups, kernel, kernel], linear layers [out, in]. */
  readonly dims: readonly number[];
  readonly role: WeightRole;
}

/** Gives the values of a weight; the length must be the product of its dims. */
export type WeightSource = (spec: WeightSpec) => Float32Array;

/** Inputs that feed one output of a layer. */
export function fanIn(spec: WeightSpec): number {
  return spec.dims.slice(1).reduce((product, dim) => product * dim, 1);
}

/** Outputs one input of a layer feeds (groups counted as PyTorch does: they are ignored). */
export function fanOut(spec: WeightSpec): number {
  const [out = 1, , ...kernel] = spec.dims;
  return kernel.reduce((product, dim) => product * dim, out);
}
