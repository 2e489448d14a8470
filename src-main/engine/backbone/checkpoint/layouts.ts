/**
 * How other libraries name the weights of the networks we build. A layout turns a checkpoint's key into ours, prefix
 * kept; where several tensors make one of ours, `#k` marks the k-th part along the first axis.
 */
export interface KeyLayout {
  readonly name: string;
  rename(key: string): string;
}

type Rule = readonly [RegExp, string | ((...groups: string[]) => string)];

function layout(name: string, rules: readonly Rule[]): KeyLayout {
  return {
    name,
    rename: (key) =>
      rules.reduce((result, [pattern, replacement]) => {
        return typeof replacement === 'string'
          ? result.replace(pattern, replacement)
          : result.replace(pattern, (...match: unknown[]) => replacement(...match.map(String)));
      }, key),
  };
}

const torchvision = layout('torchvision', []);

/** `nn.Sequential(*resnet.children())`, as DSMIL, CLAM and many SimCLR encoders store it. */
const SEQUENTIAL_PARTS = ['conv1', 'bn1', 'relu', 'maxpool', 'layer1', 'layer2', 'layer3', 'layer4'] as const;
const sequentialResNet = layout('sequential ResNet', [
  [
    /(^|\.)([0-7])\.(weight|bias|running_mean|running_var|num_batches_tracked|\d+\.(?:conv|bn|downsample))/,
    (_, before = '', part = '', rest = '') => `${before}${SEQUENTIAL_PARTS[Number(part)]}.${rest}`,
  ],
]);

const huggingFaceResNet = layout('Hugging Face ResNet', [
  [/embedder\.embedder\.convolution\./, 'conv1.'],
  [/embedder\.embedder\.normalization\./, 'bn1.'],
  [/encoder\.stages\.(\d+)\.layers\.(\d+)\./, (_, stage = '', block = '') => `layer${Number(stage) + 1}.${block}.`],
  [/\.layer\.(\d+)\.convolution\./, (_, index = '') => `.conv${Number(index) + 1}.`],
  [/\.layer\.(\d+)\.normalization\./, (_, index = '') => `.bn${Number(index) + 1}.`],
  [/\.shortcut\.convolution\./, '.downsample.0.'],
  [/\.shortcut\.normalization\./, '.downsample.1.'],
]);

/** First block number of each MobileNetV2 stage in torchvision's count. */
const MOBILE_FIRST = [1, 2, 4, 7, 11, 14, 17] as const;
const MOBILE_PARTS: Readonly<Record<string, string>> = {
  conv_pw: '0.0',
  bn1: '0.1',
  conv_dw: '1.0',
  bn2: '1.1',
  conv_pwl: '2',
  bn3: '3',
};
const MOBILE_FIRST_PARTS: Readonly<Record<string, string>> = { conv_dw: '0.0', bn1: '0.1', conv_pw: '1', bn2: '2' };
const timmMobileNet = layout('timm MobileNetV2', [
  [/^(.*\.)?conv_stem\./, '$1features.0.0.'],
  [/^(.*\.)?conv_head\./, '$1features.18.0.'],
  [
    /blocks\.(\d+)\.(\d+)\.(conv_pwl|conv_pw|conv_dw|bn1|bn2|bn3)\./,
    (_, stage = '', block = '', part = '') => {
      const parts = stage === '0' ? MOBILE_FIRST_PARTS : MOBILE_PARTS;
      return `features.${(MOBILE_FIRST[Number(stage)] ?? 99) + Number(block)}.conv.${parts[part] ?? part}.`;
    },
  ],
  [/^((?:(?!features|blocks).)*\.)?bn1\./, '$1features.0.1.'],
  [/^((?:(?!features|blocks).)*\.)?bn2\./, '$1features.18.1.'],
]);

/** timm, DINO and DINOv2 (blocks may come in chunks, registers have another name). */
const timmVit = layout('timm', [
  [/blocks\.\d+\.(\d+)\.(norm|attn|ls|mlp)/, 'blocks.$1.$2'],
  [/(^|\.)register_tokens$/, '$1reg_token'],
]);

const torchvisionVit = layout('torchvision ViT', [
  [/(^|\.)conv_proj\./, '$1patch_embed.proj.'],
  [/(^|\.)class_token$/, '$1cls_token'],
  [/(^|\.)encoder\.pos_embedding$/, '$1pos_embed'],
  [/(^|\.)encoder\.ln\./, '$1norm.'],
  [/(^|\.)encoder\.layers\.encoder_layer_(\d+)\./, '$1blocks.$2.'],
  [/\.ln_([12])\./, '.norm$1.'],
  [/\.self_attention\.in_proj_(weight|bias)$/, '.attn.qkv.$1'],
  [/\.self_attention\.out_proj\./, '.attn.proj.'],
  [/\.mlp\.(?:linear_1|0)\./, '.mlp.fc1.'],
  [/\.mlp\.(?:linear_2|3)\./, '.mlp.fc2.'],
]);

const QKV: Readonly<Record<string, number>> = { query: 0, key: 1, value: 2 };
const huggingFaceVit = layout('Hugging Face ViT', [
  [/embeddings\.patch_embeddings\.projection\./, 'patch_embed.proj.'],
  [/embeddings\.cls_token$/, 'cls_token'],
  [/embeddings\.register_tokens$/, 'reg_token'],
  [/embeddings\.position_embeddings$/, 'pos_embed'],
  [/encoder\.layer\.(\d+)\./, 'blocks.$1.'],
  [
    /\.attention\.attention\.(query|key|value)\.(weight|bias)$/,
    (_, part = '', kind = '') => `.attn.qkv.${kind}#${QKV[part]}`,
  ],
  [/\.attention\.output\.dense\./, '.attn.proj.'],
  [/\.intermediate\.dense\./, '.mlp.fc1.'],
  [/\.output\.dense\./, '.mlp.fc2.'],
  [/\.layernorm_before\./, '.norm1.'],
  [/\.layernorm_after\./, '.norm2.'],
  [/\.layer_scale([12])\.lambda1$/, '.ls$1.gamma'],
  [/(^|\.)layernorm\./, '$1norm.'],
]);

const CLIP_QKV: Readonly<Record<string, number>> = { q: 0, k: 1, v: 2 };
/** transformers' CLIPModel and CLIPVisionModel; `pre_layrnorm` is how the library spells it. */
const huggingFaceClip = layout('Hugging Face CLIP', [
  [/(^|\.)visual_projection\./, '$1vision_model.projection.'],
  [/embeddings\.patch_embedding\./, 'patch_embed.proj.'],
  [/embeddings\.class_embedding$/, 'cls_token'],
  [/embeddings\.position_embedding\.weight$/, 'pos_embed'],
  [/(^|\.)pre_layrnorm\./, '$1norm_pre.'],
  [/(^|\.)post_layernorm\./, '$1norm.'],
  [/encoder\.layers\.(\d+)\./, 'blocks.$1.'],
  [/\.self_attn\.([qkv])_proj\.(weight|bias)$/, (_, part = '', kind = '') => `.attn.qkv.${kind}#${CLIP_QKV[part]}`],
  [/\.self_attn\.out_proj\./, '.attn.proj.'],
  [/\.layer_norm([12])\./, '.norm$1.'],
]);

/** OpenAI's CLIP and open_clip, whose image tower is `visual`. */
const openAiClip = layout('OpenAI CLIP', [
  [/(^|\.)proj$/, '$1projection.matrix'],
  [/(^|\.)conv1\./, '$1patch_embed.proj.'],
  [/(^|\.)class_embedding$/, '$1cls_token'],
  [/(^|\.)positional_embedding$/, '$1pos_embed'],
  [/(^|\.)ln_pre\./, '$1norm_pre.'],
  [/(^|\.)ln_post\./, '$1norm.'],
  [/transformer\.resblocks\.(\d+)\./, 'blocks.$1.'],
  [/\.attn\.in_proj_(weight|bias)$/, '.attn.qkv.$1'],
  [/\.attn\.out_proj\./, '.attn.proj.'],
  [/\.ln_([12])\./, '.norm$1.'],
  [/\.mlp\.c_fc\./, '.mlp.fc1.'],
  [/\.mlp\.c_proj\./, '.mlp.fc2.'],
]);

/** Layouts tried for convolutional networks. */
export const CONVOLUTIONAL_LAYOUTS: readonly KeyLayout[] = [
  torchvision,
  sequentialResNet,
  huggingFaceResNet,
  timmMobileNet,
];
/** Layouts tried for vision transformers. */
export const TRANSFORMER_LAYOUTS: readonly KeyLayout[] = [
  timmVit,
  torchvisionVit,
  huggingFaceVit,
  huggingFaceClip,
  openAiClip,
];
