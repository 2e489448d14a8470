import { AppError } from '../../../src-shared/errors.ts';
import type { BackboneCard } from '../../../src-shared/model/backbone.ts';
import type { ComparisonSettings } from '../../../src-shared/model/comparison-record.ts';
import type { TaskConversion, TaskMakingRequest } from '../../../src-shared/model/task-making.ts';
import { chooseCuts } from '../compare/contenders.ts';

const PROBES: readonly ComparisonSettings['probe'][] = ['svm', 'logistic', 'knn'];
const MAX_SEED = 2 ** 31 - 1;

/** Settings as they came from outside, fields named one by one. Throws InvalidRequest naming the first that is wrong. */
export function checkedSettings(settings: ComparisonSettings): ComparisonSettings {
  const { probe, seeds, ungrouped } = settings;
  if (!PROBES.includes(probe)) refuse('There is no such probe.', 'Choose svm, logistic or knn.');
  const whole = seeds.every((seed) => Number.isInteger(seed) && seed >= 0 && seed <= MAX_SEED);
  if (seeds.length === 0 || seeds.length > 20 || !whole || new Set(seeds).size < seeds.length) {
    refuse('The seeds are not usable.', `Give 1 to 20 different whole numbers from 0 to ${MAX_SEED}.`);
  }
  return {
    probe,
    seeds: [...seeds],
    standardise: settings.standardise === true,
    crossValidate: settings.crossValidate === true,
    ...(settings.groupPattern == null || settings.groupPattern === ''
      ? {}
      : { groupPattern: checkedPattern(settings.groupPattern).source }),
    ungrouped: ungrouped.map(String),
    twins: integer(settings.twins, 0, 20, 'number of random twins'),
    resamples: integer(settings.resamples, 100, 100_000, 'number of resamples'),
    ckaImages: integer(settings.ckaImages, 0, 100_000, 'number of images for CKA'),
    robustnessImages: integer(settings.robustnessImages, 0, 10_000, 'number of images for robustness'),
    tolerance: within(settings.tolerance, 0, 1, 'tolerance'),
  };
}

function integer(value: number, low: number, high: number, what: string): number {
  if (!Number.isInteger(value)) refuse(`The ${what} must be a whole number.`, `It may be ${low} to ${high}.`);
  return within(value, low, high, what);
}

function within(value: number, low: number, high: number, what: string): number {
  if (!(value >= low && value <= high)) refuse(`The ${what} is out of bounds.`, `It may be ${low} to ${high}.`);
  return value;
}

function refuse(message: string, advice: string): never {
  throw new AppError('InvalidRequest', message, { advice });
}

/** The names of the cuts, checked; none stay none. Throws NotFound for a cut the backbone does not have. */
export function checkedCuts(card: BackboneCard, cuts: readonly string[]): readonly string[] {
  const names = cuts.map(String);
  if (names.length > 0) chooseCuts(card, names.join('+'));
  return names;
}

/** Throws InvalidRequest for no backbone at all, and for two of one name: tables could not tell them apart. */
export function checkNames(names: readonly string[]): void {
  if (names.length === 0) {
    throw new AppError('InvalidRequest', 'There is no backbone to compare.', { advice: 'Choose at least one.' });
  }
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice === undefined) return;
  throw new AppError('InvalidRequest', `Two backbones are called ${twice}.`, { advice: 'Rename one of them.' });
}

const LONGEST_PATTERN = 200;

/** The expression that finds a group in a file name. Throws InvalidRequest where it is none, or has no bracket. */
export function checkedPattern(text: string): RegExp {
  if (text.length > LONGEST_PATTERN) refuse('The group pattern is too long.', 'Keep it to what names the patient.');
  let pattern: RegExp;
  try {
    pattern = new RegExp(text);
  } catch (cause) {
    throw new AppError('InvalidRequest', 'The group pattern is not a regular expression.', {
      advice: 'An example: ^(patient\\d+)_',
      detail: String(cause),
      cause,
    });
  }
  // With nothing to match as an alternative, every bracket shows up.
  const brackets = (new RegExp(`${pattern.source}|`).exec('')?.length ?? 1) - 1;
  if (brackets === 0) {
    refuse('The group pattern has no bracket.', 'Put the part of the file name that names the patient in brackets.');
  }
  return pattern;
}

/** What a task is made by, as it came from outside. Throws InvalidRequest naming the first that is wrong. */
export function checkedMaking({
  name,
  conversion,
  mostBackground,
  mostPerClass,
  seed,
}: Omit<TaskMakingRequest, 'images' | 'annotations'>): Omit<TaskMakingRequest, 'images' | 'annotations'> {
  if (!/^[\w][\w .-]{0,79}$/.test(String(name).trim())) {
    refuse('This is no name for a task.', 'Use letters, digits, spaces, dots and dashes, 80 at most.');
  }
  return {
    name: String(name).trim(),
    conversion: checkedConversion(conversion),
    mostBackground: within(mostBackground, 0, 1, 'share of background'),
    mostPerClass: integer(mostPerClass, 1, 1_000_000, 'number of patches'),
    seed: integer(seed, 0, MAX_SEED, 'seed'),
  };
}

function checkedConversion(conversion: TaskConversion): TaskConversion {
  const sizePx = integer(conversion.sizePx, 4, 100_000, 'side of a patch');
  const stridePx = integer(conversion.stridePx, 4, 100_000, 'stride');
  switch (conversion.kind) {
    case 'dense':
      return { kind: 'dense', sizePx, stridePx };
    case 'rare':
      return { kind: 'rare', sizePx, stridePx, shifts: integer(conversion.shifts, 1, 1000, 'number of shifts') };
    case 'mask':
      return { kind: 'mask', sizePx, stridePx, threshold: within(conversion.threshold, 0, 1, 'threshold') };
    case 'central': {
      const names = conversion.names.map(({ value, name }) => {
        return { value: integer(value, 0, 65_535, 'value of the mask'), name: String(name).slice(0, 80) };
      });
      return { kind: 'central', sizePx, stridePx, names };
    }
    default:
      return refuse('There is no such conversion.', 'Choose dense, rare, mask or central.');
  }
}
