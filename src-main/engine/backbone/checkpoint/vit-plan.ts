import { type ClipPlan, PROJECTION_KEYS, type VitPlan } from '../architectures/vit.ts';

/** Width of an attention head in every published ViT-S, B and L. */
const HEAD_DIM = 64;

/**
 * The plan of a vision transformer, read off the dims of its weights under a prefix. Null where they are not those of
 * the transformer we build (no class token, gated MLP, no room for positions).
 */
export function vitPlanOf(dims: ReadonlyMap<string, readonly number[]>, prefix: string): VitPlan | null {
  const of = (name: string): readonly number[] => dims.get(prefix + name) ?? [];
  const [dim = 0, , patchPx = 0] = of('patch_embed.proj.weight');
  const [mlpDim = 0] = of('blocks.0.mlp.fc1.weight');
  const positions = of('pos_embed').at(-2) ?? 0;
  const side = Math.round(Math.sqrt(positions - 1));
  if (dim === 0 || mlpDim === 0 || of('cls_token').length === 0 || side < 1 || side ** 2 !== positions - 1) return null;
  let depth = 0;
  while (dims.has(`${prefix}blocks.${depth}.norm1.weight`)) depth += 1;
  const registers = of('reg_token')[1] ?? 0;
  const clip = clipPlanOf(of, dim);
  const size = { 192: 'tiny', 384: 'small', 768: 'base', 1024: 'large' }[dim] ?? `${dim}`;
  return {
    name: `vit_${size}_patch${patchPx}${registers > 0 ? `_reg${registers}` : ''}${clip === null ? '' : '_clip'}`,
    sizePx: side * patchPx,
    patchPx,
    depth,
    heads: dim % HEAD_DIM === 0 ? dim / HEAD_DIM : 1,
    dim,
    mlpDim,
    registers,
    layerScale: dims.has(`${prefix}blocks.0.ls1.gamma`),
    activation: clip === null ? 'gelu' : 'quick-gelu',
    clip,
  };
}

/** A norm before the first block is CLIP's; null where there is none. */
function clipPlanOf(of: (name: string) => readonly number[], dim: number): ClipPlan | null {
  if (of('norm_pre.weight').length === 0) return null;
  const [outDim] = of(PROJECTION_KEYS['out-in']);
  if (outDim !== undefined) return { projection: { dim: outDim, order: 'out-in' } };
  const [rows, columns] = of(PROJECTION_KEYS['in-out']);
  return { projection: rows === dim && columns !== undefined ? { dim: columns, order: 'in-out' } : null };
}
