import { AppError } from '../../../src-shared/errors.ts';
import { ALL_PEN_INKS, type TissueParams, type TissueSummary } from '../../../src-shared/model/run.ts';
import type { SlideSource } from '../slide/slide-source.ts';
import { fillHoles, removeSmall } from './components.ts';
import { findCoverslip } from './coverslip.ts';
import { applyStrokes } from './edit-mask.ts';
import { findInk } from './ink.ts';
import { TISSUE_CLASS, type TissueClass, type TissueMask } from './mask.ts';
import { otsuThreshold } from './otsu.ts';
import { type MaskPlanes, OD_STEPS, planeHistograms, readPlanes } from './planes.ts';
import { markBlurred, measureSharpness } from './sharpness.ts';

export { TISSUE_CLASS, type TissueMask } from './mask.ts';

/**
 * Otsu's threshold splits whatever it is given: on an empty slide noise, on a field full of tissue the two stains.
 * The glass of a white-balanced scan stays below the lower limits and stained tissue passes the upper ones.
 */
const SATURATION_RANGE = [0.05, 0.25] as const;
const DENSITY_RANGE = [0.08, 0.3] as const;

/**
 * The tissue mask of a slide at `params.maskMpp`: a pixel is stained where its HSV saturation or its mean optical
 * density is above its threshold (Otsu's within plausible limits, or the user's); pen strokes, black scanner borders
 * and coverslip edges are set apart; specks are dropped and holes filled by area; where asked for, blurred tissue is set
 * apart too; the user's strokes come last.
 * @param mppUm micrometres per level-0 pixel in force.
 * @throws AppError InvalidRequest for impossible parameters, Cancelled, and what the source throws.
 */
export async function computeTissueMask(
  source: SlideSource,
  mppUm: number,
  params: TissueParams,
  signal?: AbortSignal,
): Promise<TissueMask> {
  checkParams(params, mppUm);
  const planes = await readPlanes(source, mppUm, params.maskMpp, signal);
  let mask = maskFromPlanes(planes, source.info, mppUm, params);
  if (params.minSharpness != null && params.minSharpness > 0) {
    mask = markBlurred(mask, await measureSharpness(source, mask, signal), params.minSharpness);
  }
  return applyStrokes(mask, params.strokes ?? []);
}

/** The mask from planes already read, before blur and the user's strokes: what a slider's preview recomputes. */
export function maskFromPlanes(
  planes: MaskPlanes,
  info: { readonly widthPx: number; readonly heightPx: number },
  mppUm: number,
  params: TissueParams,
): TissueMask {
  const { widthPx, heightPx } = planes;
  const downsampleX = info.widthPx / widthPx;
  const downsampleY = info.heightPx / heightPx;
  const pixelUm2 = downsampleX * downsampleY * mppUm * mppUm;
  const { saturationThreshold, opticalDensityThreshold } = thresholds(planes, params);
  const { pen, border } = findInk(planes.ink, widthPx, heightPx, pixelUm2, params.penInks ?? ALL_PEN_INKS);

  const coverslip =
    params.findsCoverslip === false
      ? new Uint8Array(pen.length)
      : findCoverslip(planes, saturationThreshold, Math.sqrt(pixelUm2));
  const apart = pen.slice();
  for (let at = 0; at < apart.length; at++) if (border[at] !== 0 || coverslip[at] !== 0) apart[at] = 1;

  const tissue = new Uint8Array(widthPx * heightPx);
  for (let at = 0; at < tissue.length; at++) {
    const isStained =
      (planes.saturation[at] ?? 0) > saturationThreshold * 255 ||
      (planes.density[at] ?? 0) > opticalDensityThreshold * OD_STEPS;
    if (isStained && apart[at] === 0) tissue[at] = 1;
  }
  removeSmall(tissue, widthPx, heightPx, params.minTissueUm2 / pixelUm2);
  fillHoles(tissue, widthPx, heightPx, params.maxHoleUm2 / pixelUm2, apart);

  const classes = tissue;
  for (let at = 0; at < classes.length; at++) {
    if (border[at] !== 0) classes[at] = TISSUE_CLASS.border;
    else if (pen[at] !== 0) classes[at] = TISSUE_CLASS.pen;
    else if (coverslip[at] !== 0) classes[at] = TISSUE_CLASS.coverslip;
  }
  return {
    widthPx,
    heightPx,
    downsampleX,
    downsampleY,
    maskMpp: planes.maskMpp,
    mppUm,
    params,
    saturationThreshold,
    opticalDensityThreshold,
    classes,
  };
}

/** Areas of the mask in mm², and the thresholds in force. */
export function summariseTissue(mask: TissueMask): TissueSummary {
  const counts = new Float64Array(6);
  for (const code of mask.classes) counts[code] = (counts[code] ?? 0) + 1;
  const pixelMm2 = (mask.downsampleX * mask.downsampleY * mask.mppUm * mask.mppUm) / 1e6;
  const areaMm2 = (code: TissueClass): number => (counts[code] ?? 0) * pixelMm2;
  return {
    widthPx: mask.widthPx,
    heightPx: mask.heightPx,
    maskMpp: mask.maskMpp,
    saturationThreshold: mask.saturationThreshold,
    opticalDensityThreshold: mask.opticalDensityThreshold,
    tissueMm2: areaMm2(TISSUE_CLASS.tissue),
    slideMm2: mask.classes.length * pixelMm2,
    penMm2: areaMm2(TISSUE_CLASS.pen),
    borderMm2: areaMm2(TISSUE_CLASS.border),
    coverslipMm2: areaMm2(TISSUE_CLASS.coverslip),
    blurredMm2: areaMm2(TISSUE_CLASS.blurred),
  };
}

function thresholds(
  planes: MaskPlanes,
  params: TissueParams,
): { saturationThreshold: number; opticalDensityThreshold: number } {
  const histograms = planeHistograms(planes);
  const saturation = otsuThreshold(histograms.saturation) / 255;
  const density = otsuThreshold(histograms.density) / OD_STEPS;
  return {
    saturationThreshold: params.saturationThreshold ?? clamp(saturation, SATURATION_RANGE),
    opticalDensityThreshold: params.opticalDensityThreshold ?? clamp(density, DENSITY_RANGE),
  };
}

function clamp(value: number, [low, high]: readonly [number, number]): number {
  return Math.min(high, Math.max(low, value));
}

function checkParams(params: TissueParams, mppUm: number): void {
  const isFraction = (value: number | null | undefined): boolean => value == null || (value >= 0 && value <= 1);
  const isValid =
    [params.maskMpp, mppUm].every((value) => Number.isFinite(value) && value > 0) &&
    [params.minTissueUm2, params.maxHoleUm2].every((value) => Number.isFinite(value) && value >= 0) &&
    isFraction(params.saturationThreshold) &&
    (params.opticalDensityThreshold == null || params.opticalDensityThreshold >= 0);
  if (isValid) return;
  throw new AppError('InvalidRequest', 'The tissue settings are not valid.', {
    advice: 'Resolution must be above zero, areas zero or more, the saturation threshold between 0 and 1.',
    detail: JSON.stringify({ params, mppUm }),
  });
}
