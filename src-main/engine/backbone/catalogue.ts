import type { Activation, BackboneOrigin, ResizeSpec } from '../../../src-shared/model/backbone.ts';
import type { CardFile } from './card-schema.ts';

/** Where a public checkpoint comes from. */
export type CatalogueSource =
  | {
      readonly kind: 'hub';
      /** Repository on the Hugging Face hub. */
      readonly repo: string;
      readonly path: string;
    }
  | {
      readonly kind: 'url';
      readonly url: string;
      readonly fileName: string;
      /** Beginning of the file's SHA-256, where its publisher states it. */
      readonly sha256Start: string | null;
    };

/**
 * A public checkpoint by name. Nothing of it is shipped: it is fetched when the user says so. Addresses, file names,
 * licences and preprocessing were read in stored copies of their publishers' pages, named at each entry; the servers
 * themselves were not asked.
 */
export interface CatalogueEntry {
  readonly name: string;
  readonly architecture: string;
  readonly origin: BackboneOrigin;
  readonly method: string;
  /** What its publisher states; the user has to read the terms there. */
  readonly licence: string;
  /** Page that tells about it. */
  readonly page: string;
  readonly from: CatalogueSource;
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
  /** How its publisher brings an image to 224 px; absent = stretched, bilinear. */
  readonly resize?: ResizeSpec;
  /** Of a transformer whose kind does not settle it. */
  readonly activation?: Activation;
  /** True where access is given on request only. */
  readonly gated?: boolean;
  /** What of it could not be confirmed from public text when the entry was written, for the user; absent = nothing. */
  readonly unchecked?: string;
}

const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const;
const HALF = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } as const;
/** Of OpenAI's CLIP, which PLIP and QuiltNet keep. */
const CLIP = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
  resize: { interpolation: 'bicubic', cropFromPx: 224 },
} as const;
/** Lunit's statistics of their histology tiles, from the page of the release (issue 3 of the repository points there). */
const LUNIT = { mean: [0.70322989, 0.53606487, 0.66096631], std: [0.21716536, 0.26081574, 0.20723464] } as const;

/**
 * PyTorch's own files carry the beginning of their SHA-256 in their name. Address and preprocessing as torchvision's
 * `IMAGENET1K_V1` weights state them.
 */
function torchvision(architecture: string, file: string): CatalogueEntry {
  return {
    name: `${architecture}-imagenet`,
    architecture,
    origin: 'imagenet',
    method: 'supervised, ImageNet-1k',
    licence: 'BSD-3-Clause',
    page: 'https://pytorch.org/vision/stable/models.html',
    from: {
      kind: 'url',
      url: `https://download.pytorch.org/models/${file}`,
      fileName: file,
      sha256Start: /-([0-9a-f]+)\.pth$/.exec(file)?.[1] ?? null,
    },
    ...IMAGENET,
    resize: { interpolation: 'bilinear', cropFromPx: 256 },
  };
}

/**
 * File and licence as the file listings of the repositories on the hub state them; mean, deviation, bicubic filter and
 * `crop_pct` as their `config.json` and timm's default_cfgs: the image is brought to floor(224 / crop_pct).
 */
function timm(
  name: string,
  repo: string,
  cropPct: number,
  rest: Pick<CatalogueEntry, 'architecture' | 'method' | 'mean' | 'std'>,
): CatalogueEntry {
  return {
    ...{ name, ...rest },
    origin: 'imagenet',
    licence: 'Apache-2.0',
    page: `https://huggingface.co/${repo}`,
    from: { kind: 'hub', repo, path: 'model.safetensors' },
    resize: { interpolation: 'bicubic', cropFromPx: Math.floor(224 / cropPct) },
  };
}

/** Files and terms as the repository's README and LICENSE name them. */
function lunit(name: string, architecture: string, method: string, file: string): CatalogueEntry {
  return {
    name,
    architecture,
    origin: 'histology',
    method: `${method}, 19 million TCGA tiles`,
    licence: 'Lunit Public License, non-commercial research only (see the page)',
    page: 'https://github.com/lunit-io/benchmark-ssl-pathology',
    from: {
      kind: 'url',
      url: `https://github.com/lunit-io/benchmark-ssl-pathology/releases/download/pretrained-weights/${file}`,
      fileName: file,
      sha256Start: null,
    },
    ...LUNIT,
  };
}

/**
 * Addresses and mean and deviation as the repository's README and `examples/feature_extract.py` name them (which brings
 * images to 244 px, by its paper 224); no digest is stated anywhere.
 */
function mormont(architecture: string, share: string): CatalogueEntry {
  return {
    name: `mormont-${architecture}`,
    architecture,
    origin: 'histology',
    method: 'multi-task, 22 histology tasks (arXiv 2005.02561)',
    licence: 'MIT code; the weights carry no licence of their own',
    page: 'https://github.com/waliens/multitask-dipath',
    from: {
      kind: 'url',
      url: `https://dox.uliege.be/index.php/s/${share}/download`,
      fileName: `${architecture}-mh-best-191205-141200.pth`,
      sha256Start: null,
    },
    ...IMAGENET,
  };
}

export const CATALOGUE: readonly CatalogueEntry[] = [
  torchvision('resnet18', 'resnet18-f37072fd.pth'),
  torchvision('resnet34', 'resnet34-b627a593.pth'),
  torchvision('resnet50', 'resnet50-0676ba61.pth'),
  torchvision('densenet121', 'densenet121-a639ec97.pth'),
  torchvision('mobilenet_v2', 'mobilenet_v2-b0353104.pth'),
  torchvision('shufflenet_v2_x1_0', 'shufflenetv2_x1-5666bf0f80.pth'),
  torchvision('squeezenet1_1', 'squeezenet1_1-b8a52dc0.pth'),
  torchvision('vit_base_patch16', 'vit_b_16-c867db91.pth'),
  timm('timm-resnet18', 'timm/resnet18.a1_in1k', 0.95, {
    ...{ architecture: 'resnet18', method: 'supervised, ImageNet-1k' },
    ...IMAGENET,
  }),
  timm('timm-resnet50', 'timm/resnet50.a1_in1k', 0.95, {
    ...{ architecture: 'resnet50', method: 'supervised, ImageNet-1k' },
    ...IMAGENET,
  }),
  timm('timm-densenet121', 'timm/densenet121.ra_in1k', 0.875, {
    ...{ architecture: 'densenet121', method: 'supervised, ImageNet-1k' },
    ...IMAGENET,
  }),
  timm('timm-vit-small', 'timm/vit_small_patch16_224.augreg_in21k_ft_in1k', 0.9, {
    ...{ architecture: 'vit_small_patch16', method: 'supervised, ImageNet-21k then 1k' },
    ...HALF,
  }),
  // Release page: the same as tenpercent_resnet18.ckpt, saved without Lightning. Mean and deviation: its author in the
  // repository's issue 2.
  {
    name: 'ciga-resnet18',
    architecture: 'resnet18',
    origin: 'histology',
    method: 'SimCLR, 57 histology datasets (arXiv 2011.13971)',
    licence: 'MIT',
    page: 'https://github.com/ozanciga/self-supervised-histopathology',
    from: {
      kind: 'url',
      url: 'https://github.com/ozanciga/self-supervised-histopathology/releases/download/nativetenpercent/pytorchnative_tenpercent_resnet18.ckpt',
      fileName: 'pytorchnative_tenpercent_resnet18.ckpt',
      sha256Start: null,
    },
    ...HALF,
  },
  mormont('densenet121', 'G72InP4xmJvOrVp'),
  mormont('resnet50', 'kvABLtVuMxW8iJy'),
  lunit('lunit-barlow-twins', 'resnet50', 'Barlow Twins', 'bt_rn50_ep200.torch'),
  lunit('lunit-moco', 'resnet50', 'MoCo v2', 'mocov2_rn50_ep200.torch'),
  lunit('lunit-swav', 'resnet50', 'SwAV', 'swav_rn50_ep200.torch'),
  lunit('lunit-dino', 'vit_small_patch16', 'DINO', 'dino_vit_small_patch16_ep200.torch'),
  // File, terms and `preprocessor_config.json` (to 224 px, nothing of a crop) as the repository on the hub holds them.
  {
    name: 'phikon',
    architecture: 'vit_base_patch16',
    origin: 'histology',
    method: 'iBOT, 40 million TCGA tiles',
    licence: 'Owkin non-commercial licence (see the page)',
    page: 'https://huggingface.co/owkin/phikon',
    from: { kind: 'hub', repo: 'owkin/phikon', path: 'model.safetensors' },
    ...IMAGENET,
  },
  // The main branch holds this file, the .safetensors is a proposal; neither the hub nor the code's page names a licence.
  {
    name: 'plip',
    architecture: 'vit_base_patch32_clip',
    origin: 'histology',
    method: 'CLIP, 208 414 image-text pairs of OpenPath (Huang et al. 2023)',
    licence: 'none stated by its publisher; a research model by its card',
    unchecked: 'Ask its authors before any use but research.',
    page: 'https://huggingface.co/vinid/plip',
    from: { kind: 'hub', repo: 'vinid/plip', path: 'pytorch_model.bin' },
    activation: 'quick-gelu',
    ...CLIP,
  },
  // File and licence as the repository on the hub lists them.
  {
    name: 'quiltnet',
    architecture: 'vit_base_patch32_clip',
    origin: 'histology',
    method: 'CLIP, one million image-text pairs of Quilt-1M (arXiv 2306.11207)',
    licence: 'MIT',
    unchecked:
      'GELU is taken, as open_clip does with its configuration; whether it was trained with QuickGELU is stated nowhere.',
    page: 'https://huggingface.co/wisdomik/QuiltNet-B-32',
    from: { kind: 'hub', repo: 'wisdomik/QuiltNet-B-32', path: 'open_clip_pytorch_model.bin' },
    activation: 'gelu',
    ...CLIP,
  },
];

/** The file name an entry has on disk. */
export function catalogueFileName(entry: CatalogueEntry): string {
  return entry.from.kind === 'hub' ? (entry.from.path.split('/').at(-1) ?? entry.from.path) : entry.from.fileName;
}

/** What the catalogue knows of an entry, for its card. */
export function catalogueCard(entry: CatalogueEntry): CardFile {
  const { name, architecture, origin, method, licence, page, mean, std, resize, activation } = entry;
  const values = { mean: [...mean], std: [...std], scale: 1 / 255 } satisfies CardFile['input'];
  return {
    ...{ name, architecture, origin, method, licence },
    source: page,
    ...(activation === undefined ? {} : { activation }),
    input: { ...values, channelOrder: 'RGB', widthPx: 224, heightPx: 224, ...(resize === undefined ? {} : { resize }) },
  };
}
