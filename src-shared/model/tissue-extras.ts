import { parseStrokes } from './mask-edits.ts';
import { ALL_PEN_INKS, type PenInk, type TissueParams } from './run.ts';

type TissueExtras = Pick<
  TissueParams,
  'opticalDensityThreshold' | 'penInks' | 'findsCoverslip' | 'minSharpness' | 'strokes'
>;

/** The optional members of tissue parameters in a JSON object; null where one is of the wrong type or out of bounds. */
export function parseTissueExtras(value: object): TissueExtras | null {
  const { opticalDensityThreshold, penInks, findsCoverslip, minSharpness, strokes } = value as Partial<
    Record<keyof TissueExtras, unknown>
  >;
  if (!isAmountOrAbsent(opticalDensityThreshold) || !isAmountOrAbsent(minSharpness)) return null;
  if (findsCoverslip !== undefined && typeof findsCoverslip !== 'boolean') return null;
  if (penInks !== undefined && !(Array.isArray(penInks) && penInks.every(isPenInk))) return null;
  const painted = strokes === undefined ? undefined : parseStrokes(strokes);
  if (painted === null) return null;
  return {
    ...(opticalDensityThreshold === undefined ? {} : { opticalDensityThreshold }),
    ...(penInks === undefined ? {} : { penInks }),
    ...(findsCoverslip === undefined ? {} : { findsCoverslip }),
    ...(minSharpness === undefined ? {} : { minSharpness }),
    ...(painted === undefined ? {} : { strokes: painted }),
  };
}

function isAmountOrAbsent(value: unknown): value is number | null | undefined {
  return value === undefined || value === null || (typeof value === 'number' && Number.isFinite(value) && value >= 0);
}

function isPenInk(value: unknown): value is PenInk {
  return ALL_PEN_INKS.some((ink) => ink === value);
}
