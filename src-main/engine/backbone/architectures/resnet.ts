import type { WeightSource } from '../weights.ts';
import type { BuiltNetwork, FeatureMap } from './network.ts';
import { NetworkBuilder } from './network.ts';

export type ResNetName = 'resnet18' | 'resnet34' | 'resnet50';

interface ResNetPlan {
  readonly blocks: readonly [number, number, number, number];
  readonly bottleneck: boolean;
}

const PLANS: Readonly<Record<ResNetName, ResNetPlan>> = {
  resnet18: { blocks: [2, 2, 2, 2], bottleneck: false },
  resnet34: { blocks: [3, 4, 6, 3], bottleneck: false },
  resnet50: { blocks: [3, 4, 6, 3], bottleneck: true },
};

/**
 * ResNet as torchvision lays it out (He et al. 2016; stride in the 3 x 3 convolution of a bottleneck), without its
 * classifier. Cuts: `stem` (after max pooling), `layer1` ... `layer4`, each globally averaged.
 *
 * @param sizePx nominal side of the input, used to count operations.
 * @param norm `instance` puts instance normalisation without learned values in the place of every BatchNorm.
 */
export function buildResNet(
  name: ResNetName,
  weights: WeightSource,
  sizePx = 224,
  norm: 'batch' | 'instance' = 'batch',
): BuiltNetwork {
  const plan = PLANS[name];
  const label = norm === 'batch' ? name : `${name}_instance_norm`;
  const net = new ResNetBuilder(label, weights, norm);
  let x = net.conv(net.image(sizePx), 'conv1', { channels: 64, kernel: 7, stride: 2, padding: 3 });
  x = net.relu(net.norm(x, 'bn1'), 'relu');
  x = net.pool(x, 'maxpool', 'MaxPool', { kernel: 3, stride: 2, padding: 1 });
  net.cut('stem', x.name, x.channels);
  plan.blocks.forEach((count, stage) => {
    const width = 64 * 2 ** stage;
    for (let index = 0; index < count; index += 1) {
      const stride = stage > 0 && index === 0 ? 2 : 1;
      const key = `layer${stage + 1}.${index}`;
      x = plan.bottleneck ? bottleneck(net, x, key, width, stride) : basicBlock(net, x, key, width, stride);
    }
    net.cut(`layer${stage + 1}`, x.name, x.channels);
  });
  return net.finish(label);
}

class ResNetBuilder extends NetworkBuilder {
  private readonly kind: 'batch' | 'instance';

  constructor(name: string, weights: WeightSource, kind: 'batch' | 'instance') {
    super(name, weights);
    this.kind = kind;
  }

  norm(x: FeatureMap, key: string): FeatureMap {
    return this.kind === 'batch' ? this.batchNorm(x, key) : this.instanceNorm(x, key);
  }
}

function basicBlock(net: ResNetBuilder, x: FeatureMap, key: string, width: number, stride: number): FeatureMap {
  let y = net.conv(x, `${key}.conv1`, { channels: width, kernel: 3, stride, padding: 1 });
  y = net.relu(net.norm(y, `${key}.bn1`), `${key}.relu1`);
  y = net.norm(net.conv(y, `${key}.conv2`, { channels: width, kernel: 3, padding: 1 }), `${key}.bn2`);
  return net.relu(net.add(y, shortcut(net, x, key, width, stride), `${key}.add`), `${key}.relu`);
}

function bottleneck(net: ResNetBuilder, x: FeatureMap, key: string, width: number, stride: number): FeatureMap {
  let y = net.conv(x, `${key}.conv1`, { channels: width, kernel: 1 });
  y = net.relu(net.norm(y, `${key}.bn1`), `${key}.relu1`);
  y = net.conv(y, `${key}.conv2`, { channels: width, kernel: 3, stride, padding: 1 });
  y = net.relu(net.norm(y, `${key}.bn2`), `${key}.relu2`);
  y = net.norm(net.conv(y, `${key}.conv3`, { channels: width * 4, kernel: 1 }), `${key}.bn3`);
  return net.relu(net.add(y, shortcut(net, x, key, width * 4, stride), `${key}.add`), `${key}.relu`);
}

function shortcut(net: ResNetBuilder, x: FeatureMap, key: string, channels: number, stride: number): FeatureMap {
  if (stride === 1 && x.channels === channels) return x;
  const y = net.conv(x, `${key}.downsample.0`, { channels, kernel: 1, stride });
  return net.norm(y, `${key}.downsample.1`);
}
