import type { BackboneOrigin } from '../../../src-shared/model/backbone.ts';
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

/** A public checkpoint by name. Nothing of it is shipped: it is fetched when the user says so. */
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
  /** True where access is given on request only. */
  readonly gated?: boolean;
  /** What of it could not be confirmed from public text when the entry was written, for the user; absent = nothing. */
  readonly unchecked?: string;
}

const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const;
const HALF = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } as const;
/** Lunit's statistics of their histology tiles. */
const LUNIT = { mean: [0.70322989, 0.53606487, 0.66096631], std: [0.21716536, 0.26081574, 0.20723464] } as const;

/** PyTorch's own files carry the beginning of their SHA-256 in their name. */
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
  };
}

function timm(
  name: string,
  architecture: string,
  repo: string,
  method: string,
  values: typeof HALF | typeof IMAGENET,
): CatalogueEntry {
  return {
    name,
    architecture,
    origin: 'imagenet',
    method,
    licence: 'Apache-2.0',
    unchecked: 'The repository is known by name; the file name and the licence of its page were not checked.',
    page: `https://huggingface.co/${repo}`,
    from: { kind: 'hub', repo, path: 'model.safetensors' },
    ...values,
  };
}

function lunit(name: string, architecture: string, method: string, file: string): CatalogueEntry {
  return {
    name,
    architecture,
    origin: 'histology',
    method: `${method}, TCGA and TULIP tiles at 20x and 40x`,
    licence: 'non-commercial research (see the page)',
    unchecked: 'Address, file name and pixel statistics are those its users quote; the server was not asked.',
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

function mormont(architecture: string, share: string): CatalogueEntry {
  return {
    name: `mormont-${architecture}`,
    architecture,
    origin: 'histology',
    method: 'multi-task, 22 histology tasks (arXiv 2005.02561)',
    licence: 'MIT code; the weights carry no licence of their own',
    unchecked: 'The address is the one its code names; the server was not asked, and states no digest.',
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
  timm('timm-resnet18', 'resnet18', 'timm/resnet18.a1_in1k', 'supervised, ImageNet-1k', IMAGENET),
  timm('timm-resnet50', 'resnet50', 'timm/resnet50.a1_in1k', 'supervised, ImageNet-1k', IMAGENET),
  timm('timm-densenet121', 'densenet121', 'timm/densenet121.ra_in1k', 'supervised, ImageNet-1k', IMAGENET),
  timm(
    'timm-vit-small',
    'vit_small_patch16',
    'timm/vit_small_patch16_224.augreg_in21k_ft_in1k',
    'supervised, ImageNet-21k then 1k',
    HALF,
  ),
  {
    name: 'ciga-resnet18',
    architecture: 'resnet18',
    origin: 'histology',
    method: 'SimCLR, 57 histology datasets (arXiv 2011.13971)',
    licence: 'MIT',
    unchecked:
      'The address is the one its users quote; the server was not asked. Its authors state no mean and deviation: ' +
      "ImageNet's are assumed, others use 0.5.",
    page: 'https://github.com/ozanciga/self-supervised-histopathology',
    from: {
      kind: 'url',
      url: 'https://github.com/ozanciga/self-supervised-histopathology/releases/download/nativetenpercent/pytorchnative_tenpercent_resnet18.ckpt',
      fileName: 'pytorchnative_tenpercent_resnet18.ckpt',
      sha256Start: null,
    },
    ...IMAGENET,
  },
  mormont('densenet121', 'G72InP4xmJvOrVp'),
  mormont('resnet50', 'kvABLtVuMxW8iJy'),
  lunit('lunit-barlow-twins', 'resnet50', 'Barlow Twins', 'bt_rn50_ep200.torch'),
  lunit('lunit-moco', 'resnet50', 'MoCo v2', 'mocov2_rn50_ep200.torch'),
  lunit('lunit-swav', 'resnet50', 'SwAV', 'swav_rn50_ep200.torch'),
  lunit('lunit-dino', 'vit_small_patch16', 'DINO', 'dino_vit_small_patch16_ep200.torch'),
  {
    name: 'phikon',
    architecture: 'vit_base_patch16',
    origin: 'histology',
    method: 'iBOT, 40 million TCGA tiles',
    licence: 'Owkin non-commercial licence (see the page)',
    unchecked: 'The file name in its repository was not checked.',
    page: 'https://huggingface.co/owkin/phikon',
    from: { kind: 'hub', repo: 'owkin/phikon', path: 'model.safetensors' },
    ...IMAGENET,
  },
];

/** The file name an entry has on disk. */
export function catalogueFileName(entry: CatalogueEntry): string {
  return entry.from.kind === 'hub' ? (entry.from.path.split('/').at(-1) ?? entry.from.path) : entry.from.fileName;
}

/** What the catalogue knows of an entry, for its card. */
export function catalogueCard(entry: CatalogueEntry): CardFile {
  const { name, architecture, origin, method, licence, page, mean, std } = entry;
  return {
    ...{ name, architecture, origin, method, licence },
    source: page,
    input: { mean: [...mean], std: [...std], scale: 1 / 255, channelOrder: 'RGB', widthPx: 224, heightPx: 224 },
  };
}
