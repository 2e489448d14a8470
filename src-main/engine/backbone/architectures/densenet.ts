import type { WeightSource } from '../weights.ts';
import type { BuiltNetwork, FeatureMap } from './network.ts';
import { NetworkBuilder } from './network.ts';

const GROWTH = 32;
const BOTTLENECK = 4 * GROWTH;
const BLOCKS = [6, 12, 24, 16] as const;

/**
 * DenseNet121 as torchvision lays it out (Huang et al. 2017), without its classifier. Cuts: `stem`, `denseblock1` ...
 * `denseblock4` (the raw concatenation), `transition1` ... `transition3`, and `norm5`, which is pooled without the ReLU
 * torchvision applies after it (as HistoTransfer and mtdp do).
 */
export function buildDenseNet121(weights: WeightSource, sizePx = 224): BuiltNetwork {
  const net = new NetworkBuilder('densenet121', weights);
  let x = net.conv(net.image(sizePx), 'features.conv0', { channels: 64, kernel: 7, stride: 2, padding: 3 });
  x = net.relu(net.batchNorm(x, 'features.norm0'), 'features.relu0');
  x = net.pool(x, 'features.pool0', 'MaxPool', { kernel: 3, stride: 2, padding: 1 });
  net.cut('stem', x.name, x.channels);
  BLOCKS.forEach((layers, index) => {
    const block = index + 1;
    for (let layer = 1; layer <= layers; layer += 1) {
      x = denseLayer(net, x, `features.denseblock${block}.denselayer${layer}`);
    }
    net.cut(`denseblock${block}`, x.name, x.channels);
    if (block === BLOCKS.length) return;
    x = transition(net, x, `features.transition${block}`);
    net.cut(`transition${block}`, x.name, x.channels);
  });
  x = net.batchNorm(x, 'features.norm5');
  net.cut('norm5', x.name, x.channels);
  return net.finish('densenet121');
}

function denseLayer(net: NetworkBuilder, x: FeatureMap, key: string): FeatureMap {
  let y = net.relu(net.batchNorm(x, `${key}.norm1`), `${key}.relu1`);
  y = net.conv(y, `${key}.conv1`, { channels: BOTTLENECK, kernel: 1 });
  y = net.relu(net.batchNorm(y, `${key}.norm2`), `${key}.relu2`);
  y = net.conv(y, `${key}.conv2`, { channels: GROWTH, kernel: 3, padding: 1 });
  return net.concat([x, y], `${key}.concat`);
}

function transition(net: NetworkBuilder, x: FeatureMap, key: string): FeatureMap {
  const y = net.relu(net.batchNorm(x, `${key}.norm`), `${key}.relu`);
  const narrow = net.conv(y, `${key}.conv`, { channels: x.channels / 2, kernel: 1 });
  return net.pool(narrow, `${key}.pool`, 'AveragePool', { kernel: 2, stride: 2 });
}
