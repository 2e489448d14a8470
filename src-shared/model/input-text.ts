import type { InputSpec } from './backbone.ts';

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

/** Why other devices were not used, in words; empty where nothing is known. */
export function refusedText(
  refused: readonly { readonly name: string; readonly reason: string }[] | undefined,
): string {
  return (refused ?? []).map(({ name, reason }) => `${name}: ${reason}`).join(' ');
}
