import { describe, expect, it } from 'vitest';
import { cardFromConfig } from './config-json.ts';

describe('cardFromConfig', () => {
  it('reads a WSInfer zoo configuration', () => {
    const config = {
      spec_version: '1.0',
      architecture: 'resnet34',
      num_classes: 2,
      class_names: ['Other', 'Tumor'],
      patch_size_pixels: 350,
      spacing_um_px: 0.25,
      transform: [
        { name: 'Resize', arguments: { size: 224 } },
        { name: 'ToTensor' },
        { name: 'Normalize', arguments: { mean: [0.7238, 0.5716, 0.6779], std: [0.112, 0.1459, 0.1089] } },
      ],
    };
    expect(cardFromConfig(config)).toEqual({
      architecture: 'resnet34',
      origin: 'histology',
      trainedMpp: (0.25 * 350) / 224,
      input: {
        widthPx: 224,
        heightPx: 224,
        channelOrder: 'RGB',
        scale: 1 / 255,
        mean: [0.7238, 0.5716, 0.6779],
        std: [0.112, 0.1459, 0.1089],
      },
    });
  });

  it('reads a timm configuration', () => {
    const config = {
      architecture: 'vit_small_patch16_224',
      num_features: 384,
      pretrained_cfg: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5], input_size: [3, 224, 224], license: 'apache-2.0' },
    };
    expect(cardFromConfig(config)).toEqual({
      licence: 'apache-2.0',
      input: {
        widthPx: 224,
        heightPx: 224,
        scale: 1 / 255,
        channelOrder: 'RGB',
        mean: [0.5, 0.5, 0.5],
        std: [0.5, 0.5, 0.5],
      },
    });
  });

  it('reads a Hugging Face preprocessor', () => {
    const config = {
      image_mean: [0.1, 0.2, 0.3],
      image_std: [0.4, 0.5, 0.6],
      rescale_factor: 1 / 255,
      size: { height: 224 },
    };
    expect(cardFromConfig(config)?.input).toEqual({
      mean: [0.1, 0.2, 0.3],
      std: [0.4, 0.5, 0.6],
      scale: 1 / 255,
      channelOrder: 'RGB',
    });
  });

  it('leaves anything else alone', () => {
    expect(cardFromConfig({ model_type: 'vit', image_size: 224 })).toBeNull();
    expect(cardFromConfig('text')).toBeNull();
  });
});
