import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { ARCHITECTURES } from '../architectures/all.ts';
import { hashWeights } from '../testing/hash-weights.ts';
import type { WeightSpec } from '../weights.ts';
import { buildFromCheckpoint, matchCheckpoint } from './match.ts';
import type { Checkpoint, CheckpointTensor } from './tensor.ts';

/** Keys as each library writes them. */
const golden: { readonly keys: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>> } = JSON.parse(
  await readFile(new URL('./checkpoint.golden.json', import.meta.url), 'utf8'),
);

describe('matching keys', () => {
  const torchvision = (name: string): Checkpoint =>
    new Map(Object.entries(golden.keys[name] ?? {}).map(([key, dims]) => [key, zeros(dims)]));

  it.each([
    ['resnet18', 'resnet18', ['fc.weight', 'fc.bias']],
    ['resnet50', 'resnet50', ['fc.weight', 'fc.bias']],
    ['densenet121', 'densenet121', ['classifier.weight', 'classifier.bias']],
    ['mobilenet_v2', 'mobilenet_v2', ['classifier.1.weight', 'classifier.1.bias']],
    ['shufflenet_v2_x1_0', 'shufflenet_v2_x1_0', ['fc.weight', 'fc.bias']],
    ['squeezenet1_1', 'squeezenet1_1', ['classifier.1.weight', 'classifier.1.bias']],
    ['vit_b_16', 'vit_base_patch16', ['heads.head.weight', 'heads.head.bias']],
  ])("recognises torchvision's %s", (name, architecture, unexpected) => {
    const report = matchCheckpoint(torchvision(name));
    expect(report).toMatchObject({ architecture, prefix: '', missing: [], shapeMismatches: [], unexpected });
    expect(report.matched).toBe(report.expected);
  });

  it.each([
    ["Ciga's SimCLR", 'state_dict.model.resnet.'],
    ["Mormont's multi-task", 'features.'],
    ['DataParallel', 'state_dict.module.'],
    ['MoCo', 'state_dict.module.encoder_q.'],
  ])('strips the prefix of %s', (_, prefix) => {
    const keys = [...torchvision('resnet50')].map(([key, tensor]) => [prefix + key, tensor] as const);
    const report = matchCheckpoint(new Map([...keys, ['heads.0.weight', zeros([4, 2048])]]));
    expect(report).toMatchObject({ architecture: 'resnet50', prefix, missing: [] });
  });

  it('takes the teacher where a file holds two copies', () => {
    const copies = ['student.', 'teacher.'].flatMap((prefix) =>
      [...torchvision('resnet18')].map(([key, tensor]) => [prefix + key, tensor] as const),
    );
    expect(matchCheckpoint(new Map(copies)).prefix).toBe('teacher.');
  });

  it.each<[string, string, string, string, (key: string) => string]>([
    ['sequential', 'resnet18', 'sequential ResNet', 'net.', sequentialKey],
    ['Hugging Face', 'resnet50', 'Hugging Face ResNet', 'net.resnet.', huggingFaceResNetKey],
    ['timm', 'mobilenet_v2', 'timm MobileNetV2', 'net.', timmMobileNetKey],
  ])('recognises the %s layout of %s', (_, name, layout, prefix, renamed) => {
    const keys = specsOf(name).map((spec) => [`net.${renamed(spec.name)}`, zeros(spec.dims)] as const);
    expect(new Set(keys.map(([key]) => key)).size).toBe(keys.length);
    expect(matchCheckpoint(new Map(keys))).toMatchObject({ architecture: name, layout, prefix, missing: [] });
  });

  it("recognises DSMIL's encoder with instance norm", () => {
    const keys = specsOf('resnet18_instance_norm').map(
      (spec) => [`features.${sequentialKey(spec.name)}`, zeros(spec.dims)] as const,
    );
    const report = matchCheckpoint(new Map([...keys, ['l1.weight', zeros([512, 512])]]));
    expect(report).toMatchObject({ architecture: 'resnet18_instance_norm', missing: [], matched: 20 });
  });

  it('joins the query, key and value of Hugging Face transformers', () => {
    const key = 'blocks.0.attn.qkv.weight';
    const plain = specsOf('vit_small_patch16').map(
      (spec) => [spec.name, spec.name === key ? hashed(spec) : zeros(spec.dims)] as const,
    );
    const split = new Map(plain.flatMap(([name, tensor]) => huggingFaceVit(name, tensor)));
    const { network, report } = buildFromCheckpoint(split);
    expect(report).toMatchObject({ architecture: 'vit_small_patch16', layout: 'Hugging Face ViT', missing: [] });
    const joined = network.model.graph.initializers.find((tensor) => tensor.name === key);
    const whole = hashWeights({ name: key, dims: [1152, 384], role: 'linear' });
    // Stored as [in, out].
    const turned = Float32Array.from(
      { length: whole.length },
      (_, i) => whole[(i % 1152) * 384 + Math.floor(i / 1152)] ?? 0,
    );
    expect(Buffer.from(joined?.data ?? []).equals(Buffer.from(turned.buffer))).toBe(true);
  });

  it.each<[string, string, (key: string, tensor: CheckpointTensor) => [string, CheckpointTensor][]]>([
    ['Hugging Face CLIP', 'vision_model.', huggingFaceClip],
    ['OpenAI CLIP', 'visual.', openAiClip],
  ])('reads the image tower of a model in the layout of %s, and leaves its text tower', (layout, prefix, renamed) => {
    const told = (spec: WeightSpec) => (spec.name === 'projection.weight' ? hashed(spec) : zeros(spec.dims));
    const keys = specsOf('vit_base_patch32_clip').flatMap((spec) => renamed(spec.name, told(spec)));
    const text = [
      ['text_model.encoder.layers.0.layer_norm1.weight', zeros([512])],
      ['transformer.resblocks.0.ln_1.weight', zeros([512])],
      ['logit_scale', zeros([])],
      ['vision_model.embeddings.position_ids', zeros([1, 50])],
    ] as const;
    const { network, report, assumed } = buildFromCheckpoint(new Map([...keys, ...text]));
    expect(report).toMatchObject({
      architecture: 'vit_base_patch32_clip',
      layout,
      prefix,
      missing: [],
      unexpected: [],
    });
    expect(report.matched).toBe(report.expected);
    expect(assumed).toEqual([expect.stringMatching(/^activation: quick GELU/)]);
    // 151.3 M parameters of CLIP ViT-B/32 are 87.8 M of the image tower, the projection counted.
    expect(network.parameters).toBe(87_849_216);
    expect(network.cuts.at(-1)).toMatchObject({ name: 'projection', featureDim: 512, pooling: 'cls' });
    const held = network.model.graph.initializers.find(({ name }) => name.startsWith('projection.'));
    const whole = hashWeights({ name: 'projection.weight', dims: [512, 768], role: 'linear' });
    // Whichever way the file holds it, the graph multiplies by [in, out].
    expect(held?.dims).toEqual([768, 512]);
    expect(new Float32Array(new Uint8Array(held?.data ?? []).buffer)[512]).toBe(whole[1]);
  });

  it('takes the activation a card names, and refuses one it cannot build', () => {
    const keys = specsOf('vit_small_patch16').map((spec) => [spec.name, zeros(spec.dims)] as const);
    const ops = (activation?: string): string[] =>
      buildFromCheckpoint(new Map(keys), { activation }).network.model.graph.nodes.map((node) => node.op);
    expect(ops()).toContain('Erf');
    expect(ops('quick_gelu')).toContain('Sigmoid');
    expect(ops('quick_gelu')).not.toContain('Erf');
    expect(() => ops('gelu_new')).toThrowError(/activation "gelu_new"/);
  });

  it('reads registers, layer scale and chunked blocks off a DINOv2 checkpoint', () => {
    const keys = specsOf('vit_small_patch14').map(
      (spec) => [spec.name.replace(/^blocks\./, 'blocks.0.'), zeros(spec.dims)] as const,
    );
    const scales = [1, 2].flatMap((n) =>
      Array.from({ length: 12 }, (_, i) => [`blocks.0.${i}.ls${n}.gamma`, zeros([384])] as const),
    );
    const extra = [
      ['register_tokens', zeros([1, 4, 384])],
      ['mask_token', zeros([1, 384])],
    ] as const;
    const { network, report } = buildFromCheckpoint(new Map([...keys, ...scales, ...extra]));
    expect(report).toMatchObject({ architecture: 'vit_small_patch14_reg4', missing: [], unexpected: [] });
    expect(network.sizePx).toBe(224);
    const all = new Map([...keys, ...scales, ...extra]);
    const larger = buildFromCheckpoint(all, { sizePx: 280 }).network;
    expect(larger.model.graph.initializers.find((tensor) => tensor.name === 'pos_embed')?.dims).toEqual([1, 401, 384]);
    expect(() => buildFromCheckpoint(all, { sizePx: 225 })).toThrowError(/14 px patches/);
  });

  it('refuses a file without a known weight, and one that lacks some', () => {
    expect(() => buildFromCheckpoint(new Map([['lstm.weight', zeros([4, 4])]]))).toThrowError(
      expect.objectContaining({
        code: 'BackboneShapeUnsupported',
        message: expect.stringContaining('None of the weights'),
      }),
    );
    const lacking = new Map(torchvision('resnet18'));
    lacking.delete('layer3.0.conv1.weight');
    lacking.set('conv1.weight', zeros([64, 1, 7, 7]));
    expect(matchCheckpoint(lacking)).toMatchObject({
      missing: ['layer3.0.conv1.weight'],
      shapeMismatches: [{ name: 'conv1.weight', expected: '64 x 3 x 7 x 7', found: '64 x 1 x 7 x 7' }],
    });
    expect(() => buildFromCheckpoint(lacking)).toThrowError(/98 of the 100 weights of resnet18/);
  });
});

function zeros(dims: readonly number[]): CheckpointTensor {
  return { dims, type: 'float32', read: () => new Float32Array(dims.reduce((a, b) => a * b, 1)) };
}

function hashed(spec: WeightSpec): CheckpointTensor {
  return { dims: spec.dims, type: 'float32', read: () => hashWeights(spec) };
}

function specsOf(name: string): WeightSpec[] {
  const specs: WeightSpec[] = [];
  ARCHITECTURES[name]?.((spec) => {
    specs.push(spec);
    return new Float32Array();
  });
  return specs;
}

function sequentialKey(key: string): string {
  const parts = ['conv1', 'bn1', 'relu', 'maxpool', 'layer1', 'layer2', 'layer3', 'layer4'];
  return key.replace(/^[^.]+/, (part) => String(parts.indexOf(part)));
}

function huggingFaceResNetKey(key: string): string {
  return key
    .replace(/^conv1\./, 'resnet.embedder.embedder.convolution.')
    .replace(/^bn1\./, 'resnet.embedder.embedder.normalization.')
    .replace(/^layer(\d)\.(\d+)\./, (_, stage, block) => `resnet.encoder.stages.${stage - 1}.layers.${block}.`)
    .replace(/\.conv(\d)\.weight/, (_, n) => `.layer.${n - 1}.convolution.weight`)
    .replace(/\.bn(\d)\./, (_, n) => `.layer.${n - 1}.normalization.`)
    .replace('.downsample.0.', '.shortcut.convolution.')
    .replace('.downsample.1.', '.shortcut.normalization.');
}

/** timm numbers blocks by stage and names layers by what they do. */
function timmMobileNetKey(key: string): string {
  const [, block = '', rest = ''] = /^features\.(\d+)\.(.*)$/.exec(key) ?? [];
  if (block === '0') return rest.replace('0.', 'conv_stem.').replace(/^1\./, 'bn1.');
  if (block === '18') return rest.replace('0.', 'conv_head.').replace(/^1\./, 'bn2.');
  const firsts = [1, 2, 4, 7, 11, 14, 17];
  const stage = firsts.findLastIndex((first) => first <= Number(block));
  const names: Record<string, string> =
    block === '1'
      ? { '0.0': 'conv_dw', '0.1': 'bn1', '1': 'conv_pw', '2': 'bn2' }
      : { '0.0': 'conv_pw', '0.1': 'bn1', '1.0': 'conv_dw', '1.1': 'bn2', '2': 'conv_pwl', '3': 'bn3' };
  const layer = rest.replace(/^conv\.([\d.]+)\.(\w+)$/, (_, n: string, kind: string) => `${names[n]}.${kind}`);
  return `blocks.${stage}.${Number(block) - (firsts[stage] ?? 0)}.${layer}`;
}

function huggingFaceVit(key: string, tensor: CheckpointTensor): [string, CheckpointTensor][] {
  const renamed = key
    .replace('patch_embed.proj', 'vit.embeddings.patch_embeddings.projection')
    .replace('cls_token', 'vit.embeddings.cls_token')
    .replace('pos_embed', 'vit.embeddings.position_embeddings')
    .replace(/^norm\./, 'vit.layernorm.')
    .replace(/^blocks\./, 'vit.encoder.layer.')
    .replace('norm1', 'layernorm_before')
    .replace('norm2', 'layernorm_after')
    .replace('attn.proj', 'attention.output.dense')
    .replace('mlp.fc1', 'intermediate.dense')
    .replace('mlp.fc2', 'output.dense');
  if (!renamed.includes('attn.qkv')) return [[renamed, tensor]];
  const rows = (tensor.dims[0] ?? 0) / 3;
  return ['query', 'key', 'value'].map((part, index) => {
    const dims = [rows, ...tensor.dims.slice(1)];
    const size = dims.reduce((a, b) => a * b, 1);
    const read = (): Float32Array => tensor.read().slice(index * size, (index + 1) * size);
    return [renamed.replace('attn.qkv', `attention.attention.${part}`), { ...tensor, dims, read }];
  });
}

/** Keys as transformers' CLIPModel writes them; `pre_layrnorm` is its spelling. */
function huggingFaceClip(key: string, tensor: CheckpointTensor): [string, CheckpointTensor][] {
  if (key === 'projection.weight') return [['visual_projection.weight', tensor]];
  const flat = (dims: readonly number[]): CheckpointTensor => ({ ...tensor, dims });
  if (key === 'cls_token') return [['vision_model.embeddings.class_embedding', flat([768])]];
  if (key === 'pos_embed') return [['vision_model.embeddings.position_embedding.weight', flat([50, 768])]];
  const renamed = key
    .replace('patch_embed.proj', 'embeddings.patch_embedding')
    .replace('norm_pre', 'pre_layrnorm')
    .replace(/^norm\./, 'post_layernorm.')
    .replace(/^blocks\./, 'encoder.layers.')
    .replace(/\.norm([12])\./, '.layer_norm$1.')
    .replace('attn.proj', 'self_attn.out_proj');
  if (!renamed.includes('attn.qkv')) return [[`vision_model.${renamed}`, tensor]];
  return ['q', 'k', 'v'].map((part, index) => {
    const dims = [768, ...tensor.dims.slice(1)];
    const size = dims.reduce((a, b) => a * b, 1);
    const read = (): Float32Array => tensor.read().slice(index * size, (index + 1) * size);
    return [`vision_model.${renamed.replace('attn.qkv', `self_attn.${part}_proj`)}`, { ...tensor, dims, read }];
  });
}

/** Keys as OpenAI's CLIP writes them, whose projection is [in, out]. */
function openAiClip(key: string, tensor: CheckpointTensor): [string, CheckpointTensor][] {
  if (key === 'projection.weight') {
    const read = (): Float32Array => {
      const whole = tensor.read();
      return Float32Array.from({ length: whole.length }, (_, i) => whole[(i % 512) * 768 + Math.floor(i / 512)] ?? 0);
    };
    return [['visual.proj', { ...tensor, dims: [768, 512], read }]];
  }
  const renamed = key
    .replace('patch_embed.proj', 'conv1')
    .replace('cls_token', 'class_embedding')
    .replace('pos_embed', 'positional_embedding')
    .replace('norm_pre', 'ln_pre')
    .replace(/^norm\./, 'ln_post.')
    .replace(/^blocks\./, 'transformer.resblocks.')
    .replace(/\.norm([12])\./, '.ln_$1.')
    .replace('attn.qkv.', 'attn.in_proj_')
    .replace('attn.proj', 'attn.out_proj')
    .replace('mlp.fc1', 'mlp.c_fc')
    .replace('mlp.fc2', 'mlp.c_proj');
  const dims = tensor.dims.slice(tensor.dims.findIndex((dim) => dim !== 1));
  return [[`visual.${renamed}`, { ...tensor, dims }]];
}
