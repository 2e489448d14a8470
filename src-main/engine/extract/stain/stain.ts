import { createHash } from 'node:crypto';
import type { NormalisationKey, StainFit, StainNormalisation } from '../../../../src-shared/model/stain.ts';
import { canonicalJson } from '../../store/canonical.ts';
import { fitMacenko, macenkoTransform } from './macenko.ts';
import { fitReinhard, reinhardTransform } from './reinhard.ts';

export type StainMethod = StainFit['method'];
export const STAIN_METHODS: readonly StainMethod[] = ['macenko', 'reinhard'];

/** The part of a run's identity that says what its colours were brought to. */
export function normalisationKey(target: StainFit | null): NormalisationKey {
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
