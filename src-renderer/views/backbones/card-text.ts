import type {
  BackboneCard,
  BackboneOrigin,
  CutPoint,
  InputSpec,
  KeyMatch,
} from '../../../src-shared/model/backbone.ts';
import { formatCount, formatLarge } from '../../state/format.ts';

type Tone = 'plain' | 'accent' | 'warn';

/** What each origin of weights is called, and what it means. */
export const ORIGINS: Readonly<Record<BackboneOrigin, { label: string; tone: Tone; hint: string }>> = {
  imagenet: { label: 'ImageNet', tone: 'plain', hint: 'Weights trained on everyday photographs' },
  histology: { label: 'Histology', tone: 'accent', hint: 'Weights trained on tissue' },
  random: {
    label: 'Random',
    tone: 'plain',
    hint: 'Weights never trained: the control every other backbone has to beat',
  },
  unknown: { label: 'Origin unknown', tone: 'warn', hint: 'The file does not say what the weights were trained on' },
};

/** Where a cut lies, in one line. */
export function describeCut(cut: CutPoint): string {
  const parts = [`${formatCount(cut.featureDim)} features`];
  if (cut.cumulativeParameters > 0) parts.push(`${formatLarge(cut.cumulativeParameters)} parameters`);
  if (cut.cumulativeFlops > 0) parts.push(`${formatLarge(cut.cumulativeFlops)}FLOP a tile`);
  return parts.join(', ');
}

/** How pixels become the network's input. */
export interface NormalisationPreset {
  readonly name: string;
  readonly label: string;
  readonly scale: number;
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

export const NORMALISATIONS: readonly NormalisationPreset[] = [
  {
    name: 'imagenet',
    label: 'ImageNet mean and deviation (torchvision, timm)',
    scale: 1 / 255,
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
  },
  { name: 'unit', label: '0 to 1', scale: 1 / 255, mean: [0, 0, 0], std: [1, 1, 1] },
  { name: 'signed', label: '−1 to 1', scale: 1 / 255, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  { name: 'bytes', label: '0 to 255, as stored', scale: 1, mean: [0, 0, 0], std: [1, 1, 1] },
];

/** The preset an input follows, or null for numbers of its own. */
export function presetOf(input: Pick<InputSpec, 'scale' | 'mean' | 'std'>): NormalisationPreset | null {
  const near = (a: number, b: number) => Math.abs(a - b) <= 1e-6 * Math.max(1, Math.abs(b));
  return (
    NORMALISATIONS.find(
      ({ scale, mean, std }) =>
        near(input.scale, scale) &&
        mean.every((m, i) => near(input.mean[i] ?? Number.NaN, m)) &&
        std.every((s, i) => near(input.std[i] ?? Number.NaN, s)),
    ) ?? null
  );
}

/** 224 × 224, NCHW, RGB. */
export function describeInput({ widthPx, heightPx, layout, channelOrder }: InputSpec): string {
  return `${widthPx} × ${heightPx} px, ${layout}, ${channelOrder}`;
}

export function describeNormalisation(input: InputSpec): string {
  const preset = presetOf(input);
  if (preset) return preset.label;
  const list = (values: readonly number[]) => values.map((value) => Number(value.toPrecision(4))).join(', ');
  return `scale ${Number(input.scale.toPrecision(4))}, mean ${list(input.mean)}, deviation ${list(input.std)}`;
}

/** The features of the card's default cut; 0 where it has none. */
export function featureDim(card: BackboneCard): number {
  return card.cuts.find(({ name }) => name === card.defaultCut)?.featureDim ?? 0;
}

/** How the keys of a checkpoint fit, line by line, with the keys each line counts. */
export function describeKeys(
  match: KeyMatch,
): readonly { readonly name: string; readonly value: string; readonly keys: readonly string[] }[] {
  const { architecture, layout, prefix, matched, expected, missing, unexpected, shapeMismatches } = match;
  const shapes = shapeMismatches.map(({ name, expected: wanted, found }) => `${name}: ${found}, not ${wanted}`);
  const count = (keys: readonly string[]): string => (keys.length === 0 ? 'None' : formatCount(keys.length));
  return [
    { name: 'Network', value: `${architecture}, keys named as by ${layout}`, keys: [] },
    { name: 'Matched', value: `${formatCount(matched)} of ${formatCount(expected)}`, keys: [] },
    { name: 'Prefix', value: prefix === '' ? 'None' : prefix, keys: [] },
    { name: 'Missing', value: count(missing), keys: missing },
    { name: 'Not used', value: count(unexpected), keys: unexpected },
    { name: 'Of another shape', value: count(shapes), keys: shapes },
  ];
}
