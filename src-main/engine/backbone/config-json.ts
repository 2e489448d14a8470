import { z } from 'zod';
import { INTERPOLATIONS, type Interpolation, type ResizeSpec } from '../../../src-shared/model/backbone.ts';
import type { CardFile } from './card-schema.ts';

const triple = z.tuple([z.number(), z.number(), z.number()]);

/** WSInfer model zoo: https://github.com/SBU-BMI/wsinfer-zoo, `config.json` (specification 1.0). */
const wsinferSchema = z.object({
  spec_version: z.string(),
  architecture: z.string(),
  patch_size_pixels: z.number().int().positive(),
  spacing_um_px: z.number().positive(),
  transform: z.array(z.object({ name: z.string(), arguments: z.record(z.string(), z.unknown()).nullish() })),
});

/** timm's `config.json`, whose settings lie in `pretrained_cfg` (older files: at the top). */
const timmSettings = z.object({
  mean: triple.optional(),
  std: triple.optional(),
  input_size: z.tuple([z.number(), z.number(), z.number()]).optional(),
  license: z.string().optional(),
  hf_hub_id: z.string().optional(),
  interpolation: z.string().optional(),
  crop_pct: z.number().positive().max(1).nullish(),
  crop_mode: z.string().optional(),
});
const timmSchema = timmSettings.extend({ architecture: z.string(), pretrained_cfg: timmSettings.optional() });

/** Hugging Face's own `config.json`: of interest is what the weights of a transformer do not tell. */
const transformersSchema = z.object({
  model_type: z.string(),
  hidden_act: z.string().optional(),
  vision_config: z.object({ hidden_act: z.string().optional() }).optional(),
});

const side = z.number().int().positive();

/** open_clip's `open_clip_config.json`. */
const openClipSchema = z.object({
  model_cfg: z.object({ quick_gelu: z.boolean().optional(), vision_cfg: z.object({ image_size: side.optional() }) }),
  preprocess_cfg: z.object({
    mean: triple,
    std: triple,
    interpolation: z.string().optional(),
    resize_mode: z.string().optional(),
  }),
});

const rectangle = z.object({ height: side, width: side });
const sizeSchema = z.union([side, rectangle, z.object({ shortest_edge: side })]);

/** Hugging Face's `preprocessor_config.json`; its `resample` is a number of Pillow's. */
const processorSchema = z.object({
  image_mean: triple,
  image_std: triple,
  rescale_factor: z.number().positive().optional(),
  do_resize: z.boolean().optional(),
  size: sizeSchema.optional().catch(undefined),
  resample: z.number().int().optional(),
  do_center_crop: z.boolean().optional(),
  crop_size: z.union([side, rectangle]).optional().catch(undefined),
});

/** `Image.Resampling` of Pillow by number. */
const PILLOW: Readonly<Record<number, Interpolation>> = {
  0: 'nearest',
  1: 'lanczos',
  2: 'bilinear',
  3: 'bicubic',
  4: 'box',
  5: 'hamming',
};

/**
 * What a `config.json` of the WSInfer zoo, of timm or of Hugging Face, a `preprocessor_config.json` of Hugging Face or an
 * `open_clip_config.json` says of the model beside it. Null where the value is none of these.
 */
export function cardFromConfig(value: unknown): CardFile | null {
  const wsinfer = wsinferSchema.safeParse(value);
  if (wsinfer.success) return cardFromWsinfer(wsinfer.data);
  const processor = processorSchema.safeParse(value);
  if (processor.success) return cardFromProcessor(processor.data);
  const timm = timmSchema.safeParse(value);
  if (timm.success) return cardFromTimm(timm.data);
  const openClip = openClipSchema.safeParse(value);
  if (openClip.success) return cardFromOpenClip(openClip.data);
  const transformers = transformersSchema.safeParse(value);
  return transformers.success ? cardFromTransformers(transformers.data) : null;
}

/** transformers' CLIPVisionConfig is QuickGELU where it does not say. */
function cardFromTransformers(config: z.infer<typeof transformersSchema>): CardFile | null {
  const usual = config.model_type.startsWith('clip') ? 'quick_gelu' : undefined;
  const activation = config.vision_config?.hidden_act ?? config.hidden_act ?? usual;
  return activation === undefined ? null : { activation };
}

/** open_clip's defaults: GELU, bicubic, the middle of the image brought to its shorter side. */
function cardFromOpenClip({ model_cfg, preprocess_cfg }: z.infer<typeof openClipSchema>): CardFile {
  const { mean, std, resize_mode: mode } = preprocess_cfg;
  const { image_size: sidePx = 224 } = model_cfg.vision_cfg;
  const interpolation = interpolationOf(preprocess_cfg.interpolation) ?? 'bicubic';
  const resize = { interpolation, cropFromPx: mode === 'squash' ? null : sidePx };
  return {
    activation: model_cfg.quick_gelu === true ? 'quick-gelu' : 'gelu',
    input: { mean, std, scale: 1 / 255, channelOrder: 'RGB', widthPx: sidePx, heightPx: sidePx, resize },
  };
}

function interpolationOf(name: unknown): Interpolation | null {
  return INTERPOLATIONS.find((known) => known === name) ?? null;
}

/** torchvision's transforms by name; `Resize` is bilinear where it does not say. */
function cardFromWsinfer(config: z.infer<typeof wsinferSchema>): CardFile {
  const step = (name: string) => config.transform.find((each) => each.name === name)?.arguments;
  const normalisation = z.object({ mean: triple, std: triple }).safeParse(step('Normalize'));
  const resized = sideOf(step('Resize')?.size);
  const cropped = sideOf(step('CenterCrop')?.size);
  const sidePx = cropped ?? resized ?? config.patch_size_pixels;
  const cropFromPx = cropped === null ? null : (resized ?? config.patch_size_pixels);
  const interpolation = interpolationOf(step('Resize')?.interpolation) ?? 'bilinear';
  return {
    architecture: config.architecture,
    origin: 'histology',
    // The patch covers patch_size_pixels at this spacing; resizing to another side changes what a pixel is.
    trainedMpp: (config.spacing_um_px * config.patch_size_pixels) / (resized ?? config.patch_size_pixels),
    input: {
      widthPx: sidePx,
      heightPx: sidePx,
      channelOrder: 'RGB',
      ...(normalisation.success ? { ...normalisation.data, scale: 1 / 255 } : {}),
      resize: { interpolation, cropFromPx },
    },
  };
}

/** A square given as 224 or [224, 224]. */
function sideOf(size: unknown): number | null {
  const parsed = z.union([side, z.tuple([side]), z.tuple([side, side])]).safeParse(size);
  if (!parsed.success) return null;
  return typeof parsed.data === 'number' ? parsed.data : parsed.data[0];
}

/** As Hugging Face's image processors: resize, then crop the middle, each only where it is switched on. */
function cardFromProcessor(config: z.infer<typeof processorSchema>): CardFile {
  const { image_mean: mean, image_std: std, rescale_factor: scale = 1 / 255 } = config;
  const crop = config.do_center_crop === true ? rectangleOf(config.crop_size) : null;
  const { size } = config;
  const stretched = size === undefined || config.do_resize === false ? null : rectangleOf(size);
  const shorterPx = typeof size === 'object' && 'shortest_edge' in size ? size.shortest_edge : null;
  const input = crop ?? stretched ?? (shorterPx === null ? null : { width: shorterPx, height: shorterPx });
  const interpolation = PILLOW[config.resample ?? 2] ?? 'bilinear';
  // A number alone is the shorter side where a crop follows, else both sides.
  const cropFromPx = shorterPx ?? (crop !== null && typeof size === 'number' ? size : null);
  return {
    input: {
      ...{ mean, std, scale, channelOrder: 'RGB' },
      ...(input === null ? {} : { widthPx: input.width, heightPx: input.height }),
      resize: { interpolation, cropFromPx },
    },
  };
}

function rectangleOf(size: z.infer<typeof sizeSchema> | undefined): { width: number; height: number } | null {
  if (typeof size === 'number') return { width: size, height: size };
  return size !== undefined && 'width' in size ? size : null;
}

function cardFromTimm(config: z.infer<typeof timmSchema>): CardFile | null {
  const settings = { ...config, ...config.pretrained_cfg };
  const { mean, std, input_size: size, license: licence, hf_hub_id: hub } = settings;
  if (!mean || !std) return null;
  return {
    ...(licence === undefined ? {} : { licence }),
    ...(config.architecture.includes('_clip_') ? { activation: timmClipActivation(config.architecture) } : {}),
    ...(hub === undefined ? {} : { source: `Hugging Face, ${hub}` }),
    input: {
      ...{ mean, std, scale: 1 / 255, channelOrder: 'RGB' },
      ...(size ? { heightPx: size[1], widthPx: size[2], resize: timmResize(settings, size[1]) } : {}),
    },
  };
}

/** timm names those of its CLIP towers `quickgelu` that were trained with it. */
function timmClipActivation(architecture: string): string {
  return architecture.includes('quickgelu') ? 'quick-gelu' : 'gelu';
}

/**
 * timm's evaluation transform (timm.data.create_transform): to the input side over `crop_pct` (0.875 where it does not
 * say), then the middle. Its mode `squash` stretches, which is another thing only where an image is no square.
 */
function timmResize(settings: z.infer<typeof timmSettings>, sidePx: number): ResizeSpec {
  const interpolation = interpolationOf(settings.interpolation) ?? 'bicubic';
  const fromPx = Math.floor(sidePx / (settings.crop_pct ?? 0.875));
  return { interpolation, cropFromPx: settings.crop_mode === 'squash' && fromPx === sidePx ? null : fromPx };
}
