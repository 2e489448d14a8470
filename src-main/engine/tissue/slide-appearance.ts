import type { SlideSource } from '../slide/slide-source.ts';
import { measureFieldSharpness, SHARPNESS_DIM } from './field-sharpness.ts';
import { DENSITY_DIM, HUE_DIM, MIXTURE_DIM, measureFieldStain } from './field-stain.ts';
import type { TissueMask } from './mask.ts';
import { COLOUR_DIM, measureColours } from './tissue-colours.ts';
import { readTissueFields } from './tissue-fields.ts';

export { COLOUR_DIM } from './tissue-colours.ts';

/** Where each measure begins in an appearance, and how many numbers there are. */
export const SHARPNESS_AT: number = COLOUR_DIM;
export const HUE_AT: number = SHARPNESS_AT + SHARPNESS_DIM;
export const DENSITY_AT: number = HUE_AT + HUE_DIM;
export const MIXTURE_AT: number = DENSITY_AT + DENSITY_DIM;
export const APPEARANCE_DIM: number = MIXTURE_AT + MIXTURE_DIM;

/**
 * What the pixels of a slide look like apart from what they show: the colours of all its tissue, its sharpness, and its
 * stain. Taken from the slide itself, not from tiles shrunk to a network's input or normalised in colour, so that what a
 * network never sees is seen here.
 *
 * @param mask of this slide.
 * @returns APPEARANCE_DIM numbers: see `measureColours`, `measureFieldSharpness`, `measureFieldStain`, in this order;
 * NaN for what cannot be told.
 * @throws AppError Cancelled, and what the source throws.
 */
export async function measureAppearance(
  source: SlideSource,
  mask: TissueMask,
  signal?: AbortSignal,
): Promise<Float64Array> {
  const colours = await measureColours(source, mask, signal);
  const fields = await readTissueFields(source, mask, signal);
  const appearance = new Float64Array(APPEARANCE_DIM).fill(Number.NaN);
  appearance.set(colours ?? []);
  appearance.set(measureFieldSharpness(fields) ?? [], SHARPNESS_AT);
  appearance.set(measureFieldStain(fields) ?? [], HUE_AT);
  return appearance;
}
