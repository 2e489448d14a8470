import type { InputSpec } from './backbone.ts';
import type { NormalisationKey } from './stain.ts';

/** How a tile or an image is brought to a network's input size, in words. */
export function resizeText({ widthPx, heightPx, resize }: InputSpec): string {
  const { interpolation, cropFromPx } = resize ?? { interpolation: 'bilinear', cropFromPx: null };
  const size = `${widthPx} × ${heightPx} px`;
  return cropFromPx === null
    ? `the whole tile to ${size}, ${interpolation}`
    : `shorter side to ${cropFromPx} px, ${interpolation}; the middle ${size} of it`;
}

/** How pixels become numbers, in words. */
export function pixelText({ scale, mean, std, channelOrder }: InputSpec): string {
  const list = (values: readonly number[]): string => values.map((value) => Number(value.toPrecision(6))).join(', ');
  return `(pixel × ${Number(scale.toPrecision(6))} − [${list(mean)}]) / [${list(std)}], ${channelOrder}`;
}

const STAIN_METHODS: Readonly<Record<string, string>> = { macenko: 'Macenko', reinhard: 'Reinhard' };
const SHOWN_DIGITS = 8;

/** How colours were normalised, in words: the key of a run without what it says of the network's input. */
export function stainText(key: NormalisationKey): string {
  const [stain = 'none'] = key.split('+input:');
  const [method = '', fit = ''] = stain.split(':');
  return method === 'none' ? 'none' : `${STAIN_METHODS[method] ?? method}, fitted to ${fit.slice(0, SHOWN_DIGITS)}`;
}

/** Set where features were made with another input than the backbone was registered with, in words; else empty. */
export function inputEditText(key: NormalisationKey): string {
  const edit = key.split('+input:')[1] ?? '';
  return edit === '' ? '' : `input of the card changed (${edit.slice(0, SHOWN_DIGITS)})`;
}

/** Why other devices were not used, in words; empty where nothing is known. */
export function refusedText(
  refused: readonly { readonly name: string; readonly reason: string }[] | undefined,
): string {
  return (refused ?? []).map(({ name, reason }) => `${name}: ${reason}`).join(' ');
}
