import type { WeightSource } from '../weights.ts';
import type { BuiltNetwork, FeatureMap } from './network.ts';
import { NetworkBuilder } from './network.ts';

/** Expansion, channels, repeats, stride of each stage (Sandler et al. 2018, table 2). */
const STAGES = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

/**
 * MobileNetV2 (width 1) as torchvision lays it out, without its classifier. Cuts: `stem`, the last block of each stage
 * by its number (`block1`, `block3`, ...), and `head`, the 1280 channels before pooling.
 */
export function buildMobileNetV2(weights: WeightSource, sizePx = 224): BuiltNetwork {
  const net = new NetworkBuilder('mobilenet_v2', weights);
  let x = net.conv(net.image(sizePx), 'features.0.0', { channels: 32, kernel: 3, stride: 2, padding: 1 });
  x = net.relu6(net.batchNorm(x, 'features.0.1'), 'features.0.2');
  net.cut('stem', x.name, x.channels);
  let block = 0;
  for (const [expansion, channels, repeats, firstStride] of STAGES) {
    for (let repeat = 0; repeat < repeats; repeat += 1) {
      block += 1;
      x = invertedResidual(net, x, `features.${block}`, expansion, channels, repeat === 0 ? firstStride : 1);
    }
    net.cut(`block${block}`, x.name, x.channels);
  }
  x = net.conv(x, 'features.18.0', { channels: 1280, kernel: 1 });
  x = net.relu6(net.batchNorm(x, 'features.18.1'), 'features.18.2');
  net.cut('head', x.name, x.channels);
  return net.finish('mobilenet_v2');
}

function invertedResidual(
  net: NetworkBuilder,
  x: FeatureMap,
  key: string,
  expansion: number,
  channels: number,
  stride: number,
): FeatureMap {
  const hidden = x.channels * expansion;
  let step = 0;
  let y = x;
  if (expansion !== 1) {
    y = net.conv(y, `${key}.conv.0.0`, { channels: hidden, kernel: 1 });
    y = net.relu6(net.batchNorm(y, `${key}.conv.0.1`), `${key}.conv.0.2`);
    step = 1;
  }
  y = net.conv(y, `${key}.conv.${step}.0`, { channels: hidden, kernel: 3, stride, padding: 1, groups: hidden });
  y = net.relu6(net.batchNorm(y, `${key}.conv.${step}.1`), `${key}.conv.${step}.2`);
  y = net.conv(y, `${key}.conv.${step + 1}`, { channels, kernel: 1 });
  y = net.batchNorm(y, `${key}.conv.${step + 2}`);
  return stride === 1 && x.channels === channels ? net.add(x, y, `${key}.add`) : y;
}
