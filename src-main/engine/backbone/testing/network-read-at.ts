import { asId } from '../../../../src-shared/model/ids.ts';
import { elementCount } from '../../graph/model.ts';
import { encodeModel } from '../../graph/proto.ts';
import { ARCHITECTURES } from '../architectures/all.ts';
import { backboneFile } from '../derive.ts';
import { IMAGENET_INPUT } from '../imagenet-input.ts';
import type { BackboneFile } from '../random-resnet18.ts';
import { randomWeights } from '../random-weights.ts';

/** A random network for images of `sizePx`, with zeros in layers whose names do not match: drawing them takes longest. */
export function networkReadAt(architecture: string, read: RegExp, sizePx: number): BackboneFile {
  const drawn = randomWeights(3);
  const network = ARCHITECTURES[architecture]?.((spec) => {
    return read.test(spec.name) ? drawn(spec) : new Float32Array(elementCount(spec.dims));
  });
  if (network === undefined) throw new Error(`no ${architecture}`);
  const { inputName, parameters, cuts, defaultCut } = network;
  return backboneFile(encodeModel(network.model), {
    ...{ id: asId(''), name: architecture, architecture, origin: 'random', method: 'seed 3', licence: 'MIT' },
    ...{ source: 'test', input: { ...IMAGENET_INPUT, widthPx: sizePx, heightPx: sizePx }, inputName, parameters },
    ...{ sizeBytes: 0, trainedMpp: null, cuts, defaultCut, builtIn: false, assumed: [] },
  });
}
