import type { WeightSource } from '../weights.ts';
import type { BuiltNetwork, FeatureMap } from './network.ts';
import { NetworkBuilder } from './network.ts';

/** Position in torchvision's `features`, squeezed and expanded channels; null = max pooling. */
const LAYERS = [
  [3, 16, 64],
  [4, 16, 64],
  [5, null],
  [6, 32, 128],
  [7, 32, 128],
  [8, null],
  [9, 48, 192],
  [10, 48, 192],
  [11, 64, 256],
  [12, 64, 256],
] as const;

/**
 * SqueezeNet 1.1 as torchvision lays it out (Iandola et al. 2016), without its classifier. Cuts: `stem` and the eight
 * fire modules `fire1` ... `fire8`.
 */
export function buildSqueezeNet11(weights: WeightSource, sizePx = 224): BuiltNetwork {
  const net = new NetworkBuilder('squeezenet1_1', weights);
  const pooling = { kernel: 3, stride: 2, ceil: true } as const;
  let x = net.conv(net.image(sizePx), 'features.0', { channels: 64, kernel: 3, stride: 2, bias: true });
  x = net.pool(net.relu(x, 'features.1'), 'features.2', 'MaxPool', pooling);
  net.cut('stem', x.name, x.channels);
  let fires = 0;
  for (const [position, squeezed, expanded] of LAYERS) {
    const key = `features.${position}`;
    if (squeezed === null) {
      x = net.pool(x, key, 'MaxPool', pooling);
      continue;
    }
    x = fire(net, x, key, squeezed, expanded);
    fires += 1;
    net.cut(`fire${fires}`, x.name, x.channels);
  }
  return net.finish('squeezenet1_1');
}

function fire(net: NetworkBuilder, x: FeatureMap, key: string, squeezed: number, expanded: number): FeatureMap {
  const narrow = net.conv(x, `${key}.squeeze`, { channels: squeezed, kernel: 1, bias: true });
  const s = net.relu(narrow, `${key}.squeeze_activation`);
  const one = net.conv(s, `${key}.expand1x1`, { channels: expanded, kernel: 1, bias: true });
  const three = net.conv(s, `${key}.expand3x3`, { channels: expanded, kernel: 3, padding: 1, bias: true });
  const activated = [net.relu(one, `${key}.expand1x1_activation`), net.relu(three, `${key}.expand3x3_activation`)];
  return net.concat(activated, `${key}.concat`);
}
