import type { WeightSource } from '../weights.ts';
import type { BuiltNetwork, FeatureMap } from './network.ts';
import { NetworkBuilder } from './network.ts';

const STAGES = [
  { name: 'stage2', channels: 116, blocks: 4 },
  { name: 'stage3', channels: 232, blocks: 8 },
  { name: 'stage4', channels: 464, blocks: 4 },
] as const;

/**
 * ShuffleNetV2 x1.0 as torchvision lays it out (Ma et al. 2018), without its classifier. Cuts: `stem`, `stage2` ...
 * `stage4`, `conv5`.
 */
export function buildShuffleNetV2(weights: WeightSource, sizePx = 224): BuiltNetwork {
  const net = new NetworkBuilder('shufflenet_v2_x1_0', weights);
  let x = net.conv(net.image(sizePx), 'conv1.0', { channels: 24, kernel: 3, stride: 2, padding: 1 });
  x = net.relu(net.batchNorm(x, 'conv1.1'), 'conv1.2');
  x = net.pool(x, 'maxpool', 'MaxPool', { kernel: 3, stride: 2, padding: 1 });
  net.cut('stem', x.name, x.channels);
  for (const { name, channels, blocks } of STAGES) {
    x = reducingUnit(net, x, `${name}.0`, channels / 2);
    for (let block = 1; block < blocks; block += 1) x = unit(net, x, `${name}.${block}`);
    net.cut(name, x.name, x.channels);
  }
  x = net.conv(x, 'conv5.0', { channels: 1024, kernel: 1 });
  x = net.relu(net.batchNorm(x, 'conv5.1'), 'conv5.2');
  net.cut('conv5', x.name, x.channels);
  return net.finish('shufflenet_v2_x1_0');
}

/** Half of the channels pass, the other half goes through the branch. */
function unit(net: NetworkBuilder, x: FeatureMap, key: string): FeatureMap {
  const [kept, worked] = net.halves(x, `${key}.split`);
  return shuffle(net, [kept, branch(net, worked, `${key}.branch2`, kept.channels, 1)], key);
}

function reducingUnit(net: NetworkBuilder, x: FeatureMap, key: string, width: number): FeatureMap {
  const first = `${key}.branch1`;
  let y = net.conv(x, `${first}.0`, { channels: x.channels, kernel: 3, stride: 2, padding: 1, groups: x.channels });
  y = net.conv(net.batchNorm(y, `${first}.1`), `${first}.2`, { channels: width, kernel: 1 });
  y = net.relu(net.batchNorm(y, `${first}.3`), `${first}.4`);
  return shuffle(net, [y, branch(net, x, `${key}.branch2`, width, 2)], key);
}

function branch(net: NetworkBuilder, x: FeatureMap, key: string, width: number, stride: number): FeatureMap {
  let y = net.conv(x, `${key}.0`, { channels: width, kernel: 1 });
  y = net.relu(net.batchNorm(y, `${key}.1`), `${key}.2`);
  y = net.conv(y, `${key}.3`, { channels: width, kernel: 3, stride, padding: 1, groups: width });
  y = net.conv(net.batchNorm(y, `${key}.4`), `${key}.5`, { channels: width, kernel: 1 });
  return net.relu(net.batchNorm(y, `${key}.6`), `${key}.7`);
}

/** Interleaves the channels of the two branches: 0, half, 1, half + 1, ... */
function shuffle(net: NetworkBuilder, parts: readonly [FeatureMap, FeatureMap], key: string): FeatureMap {
  const joined = net.concat(parts, `${key}.concat`);
  const half = joined.channels / 2;
  const order = Array.from({ length: joined.channels }, (_, i) => (i % 2) * half + (i >> 1));
  return net.pick(joined, `${key}.shuffle`, order);
}
