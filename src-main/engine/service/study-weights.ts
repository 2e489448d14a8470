import { AppError } from '../../../src-shared/errors.ts';
import { elementCount } from '../graph/model.ts';
import type { HeadWeights } from '../learn/evaluate-head.ts';
import { evaluationGraph } from '../learn/head-graph.ts';
import type { HeadSpec } from '../learn/head-spec.ts';

/** The weights of a head one after another, by name. */
export function packWeights(weights: HeadWeights): Float32Array {
  const names = [...weights.keys()].sort();
  const parts = names.map((name) => weights.get(name) ?? new Float32Array(0));
  const packed = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    packed.set(part, at);
    at += part.length;
  }
  return packed;
}

/**
 * The weights that evaluation needs, taken apart again; what only training needs (CLAM's instance classifiers) is
 * passed over. Throws StoreDamaged where the length does not fit the head.
 */
export function unpackWeights(spec: HeadSpec, packed: Float32Array): HeadWeights {
  const { model, parameters } = evaluationGraph(spec, false);
  const sizes = new Map(model.graph.initializers.map(({ name, dims }) => [name, elementCount(dims)]));
  if (spec.pooling === 'clam-sb') {
    sizes.set('instance_weight', spec.classes * 512 * 2);
    sizes.set('instance_bias', spec.classes * 2);
  }
  const instance = spec.pooling === 'clam-sb' ? ['instance_bias', 'instance_weight'] : [];
  const all = [...parameters, ...instance].sort();
  const total = all.reduce((sum, name) => sum + (sizes.get(name) ?? 0), 0);
  const present = total === packed.length ? all : [...parameters].sort();
  const weights = new Map<string, Float32Array>();
  let at = 0;
  for (const name of present) {
    const size = sizes.get(name) ?? 0;
    if (parameters.includes(name)) weights.set(name, packed.slice(at, at + size));
    at += size;
  }
  if (at !== packed.length) {
    throw new AppError('StoreDamaged', 'The weights of a trained head do not fit it.', { advice: 'Train it again.' });
  }
  return weights;
}
