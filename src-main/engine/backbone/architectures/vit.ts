import type { Activation } from '../../../../src-shared/model/backbone.ts';
import { floatAttribute } from '../../graph/builder.ts';
import type { WeightSource } from '../weights.ts';
import type { BuiltNetwork } from './network.ts';
import { NetworkBuilder } from './network.ts';

/** What tells one vision transformer from another. */
export interface VitPlan {
  readonly name: string;
  /** Side of the image; fixed, because positions are learned. */
  readonly sizePx: number;
  readonly patchPx: number;
  readonly depth: number;
  readonly heads: number;
  readonly dim: number;
  readonly mlpDim: number;
  /** Extra tokens between the class token and the patches (DINOv2 with registers). */
  readonly registers: number;
  /** Learned scale of each residual branch (DINOv2). */
  readonly layerScale: boolean;
  readonly activation: Activation;
  /** What makes it the image tower of CLIP; null = it is none. */
  readonly clip: ClipPlan | null;
}

/**
 * The image tower of CLIP (Radford et al. 2021, https://github.com/openai/CLIP, clip/model.py): patches without bias and a
 * norm before the first block.
 */
export interface ClipPlan {
  /** The linear map of the class token into the space shared with texts; null where the file leaves it out. */
  readonly projection: { readonly dim: number; readonly order: 'out-in' | 'in-out' } | null;
}

/** Name of the projection's weight as a linear layer holds it, and as OpenAI's CLIP holds it, turned. */
export const PROJECTION_KEYS = { 'out-in': 'projection.weight', 'in-out': 'projection.matrix' } as const;

const NORM_EPSILON = 1e-6;
const CLIP_NORM_EPSILON = 1e-5;
/** QuickGELU of CLIP: x * sigmoid(1.702 x). */
const QUICK_GELU_SLOPE = 1.702;

/**
 * Vision transformer (Dosovitskiy et al. 2021; registers: Darcet et al. 2024; layer scale: Touvron et al. 2021) with
 * weights named as in timm, without its head. Cuts after each block and after the last norm: `blockK`, `norm` = class
 * token, `blockK-mean`, `norm-mean` = mean of the patch tokens; CLIP's `projection` is what it compares with texts.
 */
export function buildVit(plan: VitPlan, weights: WeightSource): BuiltNetwork {
  const net = new TransformerBuilder(plan, weights);
  let x = plan.clip === null ? net.embed() : net.norm(net.embed(), 'norm_pre');
  for (let block = 0; block < plan.depth; block += 1) {
    const key = `blocks.${block}`;
    x = net.residual(x, net.attention(net.norm(x, `${key}.norm1`), `${key}.attn`), `${key}.ls1`);
    x = net.residual(x, net.mlp(net.norm(x, `${key}.norm2`), `${key}.mlp`), `${key}.ls2`);
    net.tokenCuts(`block${block + 1}`, x);
  }
  const normed = net.norm(x, 'norm');
  net.tokenCuts('norm', normed);
  const projected = net.projection(normed);
  return net.finish(plan.name, projected ? 'projection' : 'norm');
}

/** Adds transformer layers; every token tensor is N x tokens x dim. */
class TransformerBuilder extends NetworkBuilder {
  private readonly plan: VitPlan;
  private readonly patches: number;
  private readonly prefix: number;
  private readonly tokens: number;

  constructor(plan: VitPlan, weights: WeightSource) {
    super(plan.name, weights);
    this.plan = plan;
    this.patches = Math.floor(plan.sizePx / plan.patchPx) ** 2;
    this.prefix = 1 + plan.registers;
    this.tokens = this.prefix + this.patches;
  }

  /** Patches, positions, class token and registers: class token first, registers second, no position for registers. */
  embed(): string {
    const { dim, patchPx, sizePx, registers } = this.plan;
    const image = this.image(sizePx, true);
    const conv = { channels: dim, kernel: patchPx, stride: patchPx, bias: this.plan.clip === null };
    const grid = this.conv(image, 'patch_embed.proj', conv);
    const { graph: g } = this;
    const rows = g.node('patch_embed.flat', 'Reshape', [
      grid.name,
      g.ints('patch_embed.shape', [0, dim, this.patches]),
    ]);
    const patches = g.node('patch_embed.tokens', 'Transpose', [rows], { perm: [0, 2, 1] });
    const positions = this.weight('pos_embed', [1, 1 + this.patches, dim], 'embedding');
    const placed = g.node('embed.patches', 'Add', [patches, this.slice('embed.patch_positions', positions, 1)]);
    const cls = g.node('embed.cls', 'Add', [
      this.weight('cls_token', [1, 1, dim], 'embedding'),
      this.slice('embed.cls_position', positions, 0, 1),
    ]);
    const first =
      registers === 0
        ? cls
        : g.node('embed.prefix', 'Concat', [cls, this.weight('reg_token', [1, registers, dim], 'embedding')], {
            axis: 1,
          });
    // The same tokens are put before every image of the batch: by adding, so that no batch size enters the graph.
    const padded = g.node('embed.room', 'Pad', [placed, g.ints('embed.before', [0, this.prefix, 0, 0, 0, 0])]);
    const added = g.node('embed.first', 'Pad', [first, g.ints('embed.after', [0, 0, 0, 0, this.patches, 0])]);
    return g.node('embed', 'Add', [padded, added]);
  }

  norm(x: string, key: string): string {
    const { dim } = this.plan;
    const inputs = [
      x,
      this.weight(`${key}.weight`, [dim], 'norm-scale'),
      this.weight(`${key}.bias`, [dim], 'norm-shift'),
    ];
    const epsilon = floatAttribute(this.plan.clip === null ? NORM_EPSILON : CLIP_NORM_EPSILON);
    return this.graph.node(key, 'LayerNormalization', inputs, { axis: -1, epsilon });
  }

  /** Multi-head self-attention with one projection for query, key and value. */
  attention(x: string, key: string): string {
    const { dim, heads } = this.plan;
    const width = dim / heads;
    const g = this.graph;
    const qkv = this.linear(x, `${key}.qkv`, dim, 3 * dim);
    const shape = g.ints(`${key}.heads_shape`, [0, this.tokens, 3, heads, width]);
    const byHead = g.node(`${key}.by_head`, 'Transpose', [g.node(`${key}.heads`, 'Reshape', [qkv, shape])], {
      perm: [2, 0, 3, 1, 4],
    });
    g.multi(`${key}.split`, 'Split', [byHead], [`${key}.q3`, `${key}.k3`, `${key}.v3`], { axis: 0 });
    const axis = g.ints(`${key}.axis`, [0]);
    const part = (name: string): string => g.node(`${key}.${name}`, 'Squeeze', [`${key}.${name}3`, axis]);
    const scale = this.constant(`attention.scale${width}`, 1 / Math.sqrt(width));
    const q = g.node(`${key}.scaled`, 'Mul', [part('q'), scale]);
    const keys = g.node(`${key}.k_last`, 'Transpose', [part('k')], { perm: [0, 1, 3, 2] });
    const scores = g.node(`${key}.scores`, 'MatMul', [q, keys]);
    const mixed = g.node(`${key}.mixed`, 'MatMul', [
      g.node(`${key}.weights`, 'Softmax', [scores], { axis: -1 }),
      part('v'),
    ]);
    this.shapes.set(keys, [1, heads, width, this.tokens]);
    this.shapes.set(scores, [1, heads, this.tokens, this.tokens]);
    this.shapes.set(`${key}.v`, [1, heads, this.tokens, width]);
    this.shapes.set(mixed, [1, heads, this.tokens, width]);
    const joined = g.node(`${key}.joined`, 'Reshape', [
      g.node(`${key}.by_token`, 'Transpose', [mixed], { perm: [0, 2, 1, 3] }),
      g.ints(`${key}.joined_shape`, [0, this.tokens, dim]),
    ]);
    return this.linear(joined, `${key}.proj`, dim, dim);
  }

  /** Two linear layers with an activation between them. */
  mlp(x: string, key: string): string {
    const { activation, dim, mlpDim } = this.plan;
    const wide = this.linear(x, `${key}.fc1`, dim, mlpDim);
    const active = activation === 'gelu' ? this.gelu(wide, key) : this.quickGelu(wide, key);
    return this.linear(active, `${key}.fc2`, mlpDim, dim);
  }

  /** The class token in the space CLIP shares with texts, as a cut; false where the network has no such layer. */
  projection(x: string): boolean {
    const { clip, dim } = this.plan;
    if (clip === null || clip.projection === null) return false;
    const { dim: outDim, order } = clip.projection;
    const key = PROJECTION_KEYS[order];
    const matrix =
      order === 'out-in' ? this.transposedWeight(key, outDim, dim) : this.weight(key, [dim, outDim], 'linear');
    const product = this.graph.node('projection', 'MatMul', [this.slice('projection.cls', x, 0, 1), matrix]);
    this.shapes.set(product, [1, 1, outDim]);
    this.cut('projection', product, outDim, 'cls');
    return true;
  }

  /** The exact GELU, by the error function (Hendrycks and Gimpel 2016). */
  private gelu(wide: string, key: string): string {
    const g = this.graph;
    const scaled = g.node(`${key}.scaled`, 'Div', [wide, this.constant('sqrt2', Math.SQRT2)]);
    const gate = g.node(`${key}.gate`, 'Add', [g.node(`${key}.erf`, 'Erf', [scaled]), this.constant('one', 1)]);
    const half = g.node(`${key}.product`, 'Mul', [wide, gate]);
    return g.node(`${key}.gelu`, 'Mul', [half, this.constant('half', 0.5)]);
  }

  private quickGelu(wide: string, key: string): string {
    const g = this.graph;
    const steep = g.node(`${key}.steep`, 'Mul', [wide, this.constant('quick_gelu.slope', QUICK_GELU_SLOPE)]);
    return g.node(`${key}.gelu`, 'Mul', [wide, g.node(`${key}.gate`, 'Sigmoid', [steep])]);
  }

  residual(x: string, branch: string, key: string): string {
    const { dim, layerScale } = this.plan;
    const g = this.graph;
    const scaled = layerScale
      ? g.node(key, 'Mul', [branch, this.weight(`${key}.gamma`, [dim], 'layer-scale')])
      : branch;
    return g.node(`${key}.add`, 'Add', [x, scaled]);
  }

  /** Cuts a token tensor at its class token and at the mean of its patches. */
  tokenCuts(name: string, x: string): void {
    this.cut(name, x, this.plan.dim, 'cls');
    this.cut(`${name}-mean`, this.slice(`${name}.patches`, x, this.prefix), this.plan.dim, 'mean-tokens');
  }

  /** y = x W' + b. The checkpoint holds W as [out, in]; ONNX multiplies by [in, out]. */
  private linear(x: string, key: string, inDim: number, outDim: number): string {
    const g = this.graph;
    const product = g.node(`${key}.product`, 'MatMul', [x, this.transposedWeight(`${key}.weight`, outDim, inDim)]);
    this.shapes.set(product, [1, this.tokens, outDim]);
    return g.node(key, 'Add', [product, this.weight(`${key}.bias`, [outDim], 'bias')]);
  }

  /** Tokens from `start` on, up to `end` (all of them if left out). */
  private slice(name: string, x: string, start: number, end = 2 ** 31 - 1): string {
    const g = this.graph;
    const bounds = [g.ints(`${name}.start`, [start]), g.ints(`${name}.end`, [end]), g.ints(`${name}.axis`, [1])];
    return g.node(name, 'Slice', [x, ...bounds]);
  }
}
