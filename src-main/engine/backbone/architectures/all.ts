import type { WeightSource } from '../weights.ts';
import { buildDenseNet121 } from './densenet.ts';
import { buildMobileNetV2 } from './mobilenet.ts';
import type { BuiltNetwork } from './network.ts';
import { buildResNet } from './resnet.ts';
import { buildShuffleNetV2 } from './shufflenet.ts';
import { buildSqueezeNet11 } from './squeezenet.ts';
import { buildVit, type VitPlan } from './vit.ts';

const vit = (name: string, patchPx: number, dim: number, heads: number): VitPlan => ({
  name,
  sizePx: 224,
  patchPx,
  depth: 12,
  heads,
  dim,
  mlpDim: 4 * dim,
  registers: 0,
  layerScale: false,
  activation: 'gelu',
  clip: null,
});

export const VIT_PLANS: readonly VitPlan[] = [
  vit('vit_small_patch16', 16, 384, 6),
  vit('vit_small_patch14', 14, 384, 6),
  vit('vit_base_patch16', 16, 768, 12),
  vit('vit_base_patch14', 14, 768, 12),
  // The image tower of CLIP ViT-B/32, as in PLIP.
  {
    ...vit('vit_base_patch32_clip', 32, 768, 12),
    activation: 'quick-gelu',
    clip: { projection: { dim: 512, order: 'out-in' } },
  },
];

/** Every network the builder knows, by name, at its usual input size. */
export const ARCHITECTURES: Readonly<Record<string, (weights: WeightSource) => BuiltNetwork>> = {
  resnet18: (weights) => buildResNet('resnet18', weights),
  resnet34: (weights) => buildResNet('resnet34', weights),
  resnet50: (weights) => buildResNet('resnet50', weights),
  resnet18_instance_norm: (weights) => buildResNet('resnet18', weights, 224, 'instance'),
  resnet50_instance_norm: (weights) => buildResNet('resnet50', weights, 224, 'instance'),
  densenet121: (weights) => buildDenseNet121(weights),
  mobilenet_v2: (weights) => buildMobileNetV2(weights),
  shufflenet_v2_x1_0: (weights) => buildShuffleNetV2(weights),
  squeezenet1_1: (weights) => buildSqueezeNet11(weights),
  ...Object.fromEntries(VIT_PLANS.map((plan) => [plan.name, (weights: WeightSource) => buildVit(plan, weights)])),
};
