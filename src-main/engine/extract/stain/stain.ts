import { createHash } from 'node:crypto';
import type { BackboneCard } from '../../../../src-shared/model/backbone.ts';
import type { NormalisationKey, StainFit, StainKey, StainNormalisation } from '../../../../src-shared/model/stain.ts';
import { canonicalJson } from '../../store/canonical.ts';
import { fitMacenko, macenkoTransform } from './macenko.ts';
import { fitReinhard, reinhardTransform } from './reinhard.ts';

export type StainMethod = StainFit['method'];
export const STAIN_METHODS: readonly StainMethod[] = ['macenko', 'reinhard'];

/**
 * The part of a run's identity that says what became of the pixels before the network: what their colours were brought
 * to and, where the user has changed the card's input, which input was in force.
 */
export function normalisationKey(target: StainFit | null, card: Pick<BackboneCard, 'inputEdit'>): NormalisationKey {
  const stain = stainKey(target);
  return card.inputEdit === undefined ? stain : `${stain}+input:${card.inputEdit.key}`;
}

function stainKey(target: StainFit | null): StainKey {
  if (target === null) return 'none';
  const hash = createHash('sha256').update(canonicalJson(target)).digest('hex').slice(0, 16);
  return `${target.method}:${hash}`;
}

/** Fits a method to interleaved 8-bit RGB; null where there is hardly any tissue. */
export function fitStain(method: StainMethod, rgb: Uint8Array): StainFit | null {
  return method === 'macenko' ? fitMacenko(rgb) : fitReinhard(rgb);
}

/** What repaints interleaved 8-bit RGB in place. A source and a target of different methods leave it as it is. */
export function stainTransform({ source, target }: StainNormalisation): (rgb: Uint8Array) => void {
  if (source.method === 'macenko' && target.method === 'macenko') return macenkoTransform(source, target);
  if (source.method === 'reinhard' && target.method === 'reinhard') return reinhardTransform(source, target);
  return () => undefined;
}
