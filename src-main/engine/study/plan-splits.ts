import { AppError } from '../../../src-shared/errors.ts';
import {
  checkNoLeakage,
  type GroupNoun,
  groupedFolds,
  groupedSplit,
  listed,
  type Split,
  type SplitShares,
  type StudyCase,
} from './splits.ts';

/** How cases are dealt into parts; see `StudySplitting`. */
export type CaseSplitting =
  | { readonly kind: 'folds'; readonly folds: number; readonly repeats: number }
  | ({ readonly kind: 'shares'; readonly repeats: number } & SplitShares)
  | { readonly kind: 'given'; readonly splits: readonly Split[] };

export interface SplitPlan {
  readonly splitting: CaseSplitting;
  readonly groupBy: GroupNoun;
  readonly splitSeed: number;
}

export interface PlannedSplits {
  readonly splits: readonly Split[];
  /** True where a given split had no validation part and got one from its training part. */
  readonly validationTaken: boolean;
}

/** Part of the training part that becomes the validation part where a given split has none. */
const TAKEN_SHARE = 0.2;

/**
 * The splits of a study, each checked for patients (and, when asked, sites) in two parts, whoever made it. Repeats are
 * drawn with seeds splitSeed, splitSeed + 1, …
 * @throws AppError InvalidRequest: leakage, a class with too few patients or sites, slides without a site: all named.
 */
export function plannedSplits(cases: readonly StudyCase[], plan: SplitPlan): PlannedSplits {
  const { splitting, groupBy, splitSeed } = plan;
  const blocks = groupBy === 'site' ? joinedBySite(cases) : cases;
  if (splitting.kind === 'given') return givenSplits(cases, blocks, splitting.splits, plan);
  const repeats = Array.from({ length: splitting.repeats }, (_, r) => splitSeed + r);
  const splits = repeats.flatMap((seed) =>
    splitting.kind === 'folds'
      ? groupedFolds(blocks, splitting.folds, seed, groupBy)
      : [groupedSplit(blocks, splitting, seed, groupBy)],
  );
  for (const split of splits) checkNoLeakage(cases, split);
  return { splits, validationTaken: false };
}

/**
 * The same cases with sites in the place of patients. Sites that share a patient become one, because neither may lie
 * in two parts.
 * @throws AppError InvalidRequest naming cases without a site.
 */
function joinedBySite(cases: readonly StudyCase[]): readonly StudyCase[] {
  const without = cases.filter(({ site }) => !site).map(({ id }) => id);
  if (without.length > 0) {
    throw new AppError('InvalidRequest', `These slides name no site: ${listed(without)}.`, {
      advice: 'Fill in the site column, or keep patients together instead of sites.',
    });
  }
  const rootOf = new Map<string, string>();
  const find = (site: string): string => {
    const above = rootOf.get(site) ?? site;
    return above === site ? site : find(above);
  };
  const siteOfPatient = new Map<string, string>();
  for (const { group, site = '' } of cases) {
    const other = find(siteOfPatient.get(group) ?? site);
    siteOfPatient.set(group, other);
    const [first, second] = [other, find(site)].sort();
    if (first !== undefined && second !== undefined && first !== second) rootOf.set(second, first);
  }
  return cases.map((item) => ({ ...item, group: find(item.site ?? '') }));
}

function givenSplits(
  cases: readonly StudyCase[],
  blocks: readonly StudyCase[],
  given: readonly Split[],
  { groupBy, splitSeed }: SplitPlan,
): PlannedSplits {
  if (given.length === 0) throw new AppError('InvalidRequest', 'The file of splits holds none.');
  let validationTaken = false;
  const splits = given.map((split, at) => {
    checkNoLeakage(cases, split, 'patient', 'partial');
    // As they were given: joined sites would hide the name of the one that leaks.
    if (groupBy === 'site') checkNoLeakage(bySite(cases), split, 'site', 'partial');
    if (split.test.length === 0 || split.train.length === 0) {
      throw new AppError(
        'InvalidRequest',
        `Split ${at + 1} has no ${split.test.length === 0 ? 'test' : 'training'} part.`,
        {
          advice: 'Give a file in which every split names slides to train on and slides to test on.',
        },
      );
    }
    if (split.validation.length > 0) return split;
    validationTaken = true;
    return withValidation(blocks, split, splitSeed + at, groupBy);
  });
  return { splits, validationTaken };
}

const bySite = (cases: readonly StudyCase[]): readonly StudyCase[] =>
  cases.map((item) => ({ ...item, group: item.site ?? '' }));

function withValidation(cases: readonly StudyCase[], split: Split, seed: number, noun: GroupNoun): Split {
  const members = split.train.flatMap((index) => cases[index] ?? []);
  const shares = { train: 1 - TAKEN_SHARE, validation: TAKEN_SHARE, test: 0 };
  const inner = groupedSplit(members, shares, seed, noun);
  const outer = (part: readonly number[]): number[] => part.flatMap((at) => split.train[at] ?? []);
  return { train: outer(inner.train), validation: outer(inner.validation), test: split.test };
}
