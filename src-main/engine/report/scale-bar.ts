import { lengthText } from './wording.ts';

export interface ScaleBar {
  readonly um: number;
  /** Share of the width of what it measures, 0..1. */
  readonly share: number;
  /** `2 mm`, `500 µm`. */
  readonly label: string;
}

/** The longest bar of 1, 2 or 5 x 10^n µm that is at most `maxShare` of the given width. Null without a width. */
export function scaleBar(widthUm: number, maxShare = 0.25): ScaleBar | null {
  const room = widthUm * maxShare;
  if (!(room > 0) || !Number.isFinite(room)) return null;
  const power = 10 ** Math.floor(Math.log10(room));
  const um = power * ([5, 2, 1].find((m) => m * power <= room * (1 + 1e-12)) ?? 1);
  return { um, share: um / widthUm, label: lengthText(um) };
}
