/** The objectives a pathologist reaches for, as buttons; percent of the stored pixels where no pixel size is known. */
const OBJECTIVES = [1, 2, 5, 10, 20, 40] as const;
const PERCENTS = [10, 25, 50, 100, 200, 400] as const;

/** Micrometres per pixel at which one screen pixel shows what a 1x objective is taken to show (10 µm; 0.25 µm = 40x). */
const UM_PER_PX_AT_1X = 10;

/** Objective-equivalent of a zoom (device pixels per level-0 pixel) on a slide of `mppUm` µm per level-0 pixel. */
export function objectiveOf(zoom: number, mppUm: number): number {
  return (UM_PER_PX_AT_1X / mppUm) * zoom;
}

/** The zoom (device pixels per level-0 pixel) that shows the slide as the given objective would. */
export function zoomOfObjective(objective: number, mppUm: number): number {
  return (objective * mppUm) / UM_PER_PX_AT_1X;
}

export interface ZoomPreset {
  readonly label: string;
  /** Device pixels per level-0 pixel. */
  readonly zoom: number;
}

/** The zoom buttons for a slide. */
export function zoomPresets(mppUm: number | null): readonly ZoomPreset[] {
  if (mppUm === null) return PERCENTS.map((percent) => ({ label: `${percent} %`, zoom: percent / 100 }));
  return OBJECTIVES.map((objective) => ({ label: `${objective}×`, zoom: zoomOfObjective(objective, mppUm) }));
}

/**
 * What the read-out says: objective-equivalent where the pixel size is known, percent of the stored pixels where it is
 * not. A magnification is never guessed.
 */
export function formatMagnification(zoom: number, mppUm: number | null): string {
  if (!(zoom > 0)) return '–';
  if (mppUm === null) return `${significant(zoom * 100)} %`;
  return `${significant(objectiveOf(zoom, mppUm))}×`;
}

/**
 * The zoom a user typed: `20`, `20x`, `20×` (needs a pixel size), `50%` and `1:1` (always). Null where it makes no sense.
 */
export function parseMagnification(text: string, mppUm: number | null): number | null {
  const typed = text.trim().toLowerCase().replace(',', '.');
  const ratio = /^(\d+(?:\.\d+)?)\s*:\s*(\d+(?:\.\d+)?)$/.exec(typed);
  if (ratio) return positive(Number(ratio[1]) / Number(ratio[2]));
  const match = /^(\d+(?:\.\d+)?)\s*(%|x|×)?$/.exec(typed);
  if (!match) return null;
  const value = Number(match[1]);
  if (match[2] === '%') return positive(value / 100);
  if (mppUm !== null) return positive(zoomOfObjective(value, mppUm));
  return match[2] === undefined ? positive(value / 100) : null;
}

function positive(value: number): number | null {
  return Number.isFinite(value) && value > 0 ? value : null;
}

function significant(value: number): string {
  if (value >= 9.95) return value.toFixed(value >= 99.5 || Math.abs(value - Math.round(value)) < 0.05 ? 0 : 1);
  if (value >= 0.995) return value.toFixed(Math.abs(value - Math.round(value)) < 0.05 ? 0 : 1);
  return value.toPrecision(2);
}
