import { z } from 'zod';
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
});
const timmSchema = timmSettings.extend({ architecture: z.string(), pretrained_cfg: timmSettings.optional() });

/** Hugging Face's `preprocessor_config.json`. */
const processorSchema = z.object({
  image_mean: triple,
  image_std: triple,
  rescale_factor: z.number().positive().optional(),
});

/**
 * What a `config.json` of the WSInfer zoo or of timm, or a `preprocessor_config.json` of Hugging Face, says of the
 * model beside it. Null where the value is none of these.
 */
export function cardFromConfig(value: unknown): CardFile | null {
  const wsinfer = wsinferSchema.safeParse(value);
  if (wsinfer.success) return cardFromWsinfer(wsinfer.data);
  const processor = processorSchema.safeParse(value);
  if (processor.success) {
    const { image_mean: mean, image_std: std, rescale_factor: scale = 1 / 255 } = processor.data;
    return { input: { mean, std, scale, channelOrder: 'RGB' } };
  }
  const timm = timmSchema.safeParse(value);
  return timm.success ? cardFromTimm(timm.data) : null;
}

function cardFromWsinfer(config: z.infer<typeof wsinferSchema>): CardFile {
  const normalize = config.transform.find((step) => step.name === 'Normalize')?.arguments;
  const normalisation = z.object({ mean: triple, std: triple }).safeParse(normalize);
  const resize = config.transform.find((step) => step.name === 'Resize')?.arguments?.size;
  const side = typeof resize === 'number' ? resize : config.patch_size_pixels;
  return {
    architecture: config.architecture,
    origin: 'histology',
    // The patch covers patch_size_pixels at this spacing; resizing to another side changes what a pixel is.
    trainedMpp: (config.spacing_um_px * config.patch_size_pixels) / side,
    input: {
      widthPx: side,
      heightPx: side,
      channelOrder: 'RGB',
      ...(normalisation.success ? { ...normalisation.data, scale: 1 / 255 } : {}),
    },
  };
}

function cardFromTimm(config: z.infer<typeof timmSchema>): CardFile | null {
  const settings = { ...config, ...config.pretrained_cfg };
  const { mean, std, input_size: size, license: licence, hf_hub_id: hub } = settings;
  if (!mean || !std) return null;
  return {
    ...(licence === undefined ? {} : { licence }),
    ...(hub === undefined ? {} : { source: `Hugging Face, ${hub}` }),
    input: { mean, std, scale: 1 / 255, channelOrder: 'RGB', ...(size ? { heightPx: size[1], widthPx: size[2] } : {}) },
  };
}
