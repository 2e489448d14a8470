import type { InputSpec } from '../../../src-shared/model/backbone.ts';

/** Input of torchvision's ImageNet networks. */
export const IMAGENET_INPUT: InputSpec = {
  widthPx: 224,
  heightPx: 224,
  layout: 'NCHW',
  channelOrder: 'RGB',
  scale: 1 / 255,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};
