import { elementCount } from '../graph/model.ts';
import { RandomStream } from './random-stream.ts';
import type { WeightSource, WeightSpec } from './weights.ts';
import { fanOut } from './weights.ts';

/**
 * Weights drawn as the reference implementations initialise them: convolutions He-normal over the fan out (He et al.
 * 2015, torchvision's ResNet), linear layers and embeddings truncated normal with standard deviation 0.02 (ViT), norms
 * and running statistics at their defaults (scale 1, shift 0, mean 0, variance 1), biases 0.
 *
 * @param seed any safe integer; the same seed gives the same bits on every machine.
 */
export function randomWeights(seed: number): WeightSource {
  return (spec) => {
    const values = new Float32Array(elementCount(spec.dims));
    const constant = constantOf(spec);
    if (constant !== null) return values.fill(constant);
    const stream = new RandomStream(seed, spec.name);
    if (spec.role === 'conv') {
      const deviation = Math.sqrt(2 / fanOut(spec));
      for (let i = 0; i < values.length; i += 1) values[i] = stream.nextNormal() * deviation;
    } else {
      for (let i = 0; i < values.length; i += 1) values[i] = stream.nextTruncatedNormal(2) * 0.02;
    }
    return values;
  };
}

function constantOf(spec: WeightSpec): number | null {
  switch (spec.role) {
    case 'norm-scale':
    case 'running-var':
    case 'layer-scale':
      return 1;
    case 'bias':
    case 'norm-shift':
    case 'running-mean':
      return 0;
    default:
      return null;
  }
}
