import type { MapDescription } from '../../../src-shared/model/map.ts';
import { legendTicks, normalised } from '../../../src-shared/numeric/map-raster.ts';

/** The value of a tile as a read-out says it: category by name, scalar as a number, components by name. */
export function describeValue(description: MapDescription, value: readonly number[]): string {
  if (description.channels === 3) {
    return value.map((component, i) => `PC${i + 1} ${component.toFixed(2)}`).join(' · ');
  }
  const [only = Number.NaN] = value;
  if (description.categories.length > 0) return description.categories[only]?.label ?? '–';
  return only.toFixed(decimals(description.range));
}

/** A number of a scale, with as many decimals as the scale needs. */
export function scaleNumber(value: number, range: readonly [number, number]): string {
  return value.toFixed(decimals(range)).replace('-', '−');
}

/** Labels of a colour bar: both ends, and in between the round numbers that leave room for their neighbours. */
export function barLabels(
  range: readonly [number, number],
): readonly { readonly share: number; readonly text: string }[] {
  const [min, max] = range;
  const inner = legendTicks(min, max, 4)
    .map((tick) => ({ share: normalised(tick, min, max), text: scaleNumber(tick, range) }))
    .filter(({ share }) => share > 0.36 && share < 0.64);
  const roomy = inner.length > 2 ? inner.filter((_, i) => i % 2 === 0) : inner;
  return [{ share: 0, text: scaleNumber(min, range) }, ...roomy, { share: 1, text: scaleNumber(max, range) }];
}

function decimals([min, max]: readonly [number, number]): number {
  const width = Math.abs(max - min);
  if (!(width > 0)) return 3;
  return Math.min(Math.max(Math.ceil(2 - Math.log10(width)), 0), 6);
}
