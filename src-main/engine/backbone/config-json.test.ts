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
        resize: { interpolation: 'bilinear', cropFromPx: null },
      },
    });
  });

  it('reads the crop of a WSInfer zoo configuration', () => {
    const transform = [
      { name: 'Resize', arguments: { size: 256, interpolation: 'bicubic' } },
      { name: 'CenterCrop', arguments: { size: [224, 224] } },
    ];
    const config = {
      spec_version: '1.0',
      architecture: 'resnet34',
      patch_size_pixels: 512,
      spacing_um_px: 0.25,
      transform,
    };
    const card = cardFromConfig(config);
    expect(card?.input).toMatchObject({ widthPx: 224, resize: { interpolation: 'bicubic', cropFromPx: 256 } });
    expect(card?.trainedMpp).toBe(0.5);
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
        // timm's own defaults where its file does not say.
        resize: { interpolation: 'bicubic', cropFromPx: 256 },
      },
    });
  });

  it.each([
    [
      { crop_pct: 0.95, interpolation: 'bicubic' },
      { interpolation: 'bicubic', cropFromPx: 235 },
    ],
    [
      { crop_pct: 0.875, interpolation: 'bilinear' },
      { interpolation: 'bilinear', cropFromPx: 256 },
    ],
    [
      { crop_pct: 1, crop_mode: 'squash', interpolation: 'lanczos' },
      { interpolation: 'lanczos', cropFromPx: null },
    ],
    [
      { crop_pct: 1, crop_mode: 'center' },
      { interpolation: 'bicubic', cropFromPx: 224 },
    ],
  ])("reads timm's crop and filter: %j", (said, resize) => {
    const pretrained_cfg = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5], input_size: [3, 224, 224], ...said };
    expect(cardFromConfig({ architecture: 'resnet18', pretrained_cfg })?.input?.resize).toEqual(resize);
  });

  it.each([
    [{ size: { height: 224, width: 224 }, resample: 2 }, 224, { interpolation: 'bilinear', cropFromPx: null }],
    [
      { size: { shortest_edge: 256 }, do_center_crop: true, crop_size: { height: 224, width: 224 }, resample: 3 },
      224,
      { interpolation: 'bicubic', cropFromPx: 256 },
    ],
    [
      { size: 256, do_center_crop: true, crop_size: 224, resample: 1 },
      224,
      { interpolation: 'lanczos', cropFromPx: 256 },
    ],
    [{ size: 384 }, 384, { interpolation: 'bilinear', cropFromPx: null }],
    [{ size: { shortest_edge: 224 }, resample: 0 }, 224, { interpolation: 'nearest', cropFromPx: 224 }],
  ])('reads the size, crop and filter of a Hugging Face preprocessor: %j', (said, side, resize) => {
    const card = cardFromConfig({ image_mean: [0, 0, 0], image_std: [1, 1, 1], ...said });
    expect(card?.input).toMatchObject({ widthPx: side, heightPx: side, resize });
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
      // Half a size is none.
      resize: { interpolation: 'bilinear', cropFromPx: null },
    });
  });

  it('leaves anything else alone', () => {
    expect(cardFromConfig({ model_type: 'vit', image_size: 224 })).toBeNull();
    expect(cardFromConfig('text')).toBeNull();
  });

  it("reads from Hugging Face's configuration what the weights do not tell", () => {
    const clip = {
      model_type: 'clip',
      vision_config: { hidden_act: 'gelu', patch_size: 32 },
      architectures: ['CLIPModel'],
    };
    expect(cardFromConfig(clip)).toEqual({ activation: 'gelu' });
    expect(cardFromConfig({ model_type: 'clip', vision_config: {} })).toEqual({ activation: 'quick_gelu' });
    expect(cardFromConfig({ model_type: 'vit', hidden_act: 'gelu', layer_norm_eps: 1e-6 })).toEqual({
      activation: 'gelu',
    });
    expect(cardFromConfig({ model_type: 'swin' })).toBeNull();
  });

  it('reads an open_clip configuration', () => {
    const mean = [0.48145466, 0.4578275, 0.40821073];
    const std = [0.26862954, 0.26130258, 0.27577711];
    const config = {
      model_cfg: { embed_dim: 512, vision_cfg: { image_size: 240, layers: 12, width: 768, patch_size: 32 } },
      preprocess_cfg: { mean, std },
    };
    expect(cardFromConfig(config)).toEqual({
      activation: 'gelu',
      input: {
        ...{ mean, std, scale: 1 / 255, channelOrder: 'RGB', widthPx: 240, heightPx: 240 },
        resize: { interpolation: 'bicubic', cropFromPx: 240 },
      },
    });
    const quick = { ...config, model_cfg: { ...config.model_cfg, quick_gelu: true } };
    expect(cardFromConfig(quick)?.activation).toBe('quick-gelu');
  });

  it('tells the activation of a CLIP tower of timm by its name', () => {
    const settings = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
    const named = (architecture: string) => cardFromConfig({ architecture, pretrained_cfg: settings })?.activation;
    expect(named('vit_base_patch32_clip_quickgelu_224')).toBe('quick-gelu');
    expect(named('vit_base_patch32_clip_224')).toBe('gelu');
    expect(named('vit_base_patch32_224')).toBeUndefined();
  });
});
