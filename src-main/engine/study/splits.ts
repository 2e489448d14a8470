import { AppError } from '../../../src-shared/errors.ts';
import { seededRandom, shuffledIndices } from '../../../src-shared/numeric/random.ts';

/** A slide (or patch) with its label and the patient (or site) it must stay with. */
export interface StudyCase {
  readonly id: string;
  readonly label: string;
  readonly group: string;
  /** Where it was scanned or cut, where that is known. */
  readonly site?: string;
}

/** What is kept whole, as it is named to the user. */
export type GroupNoun = 'patient' | 'site';

/** Parts of a study by case number; every case is in exactly one part. */
export interface Split {
  readonly train: readonly number[];
  readonly validation: readonly number[];
  readonly test: readonly number[];
}

export interface SplitShares {
  readonly train: number;
  readonly validation: number;
  readonly test: number;
}

/**
 * k folds, patients kept whole and classes spread evenly: in each split one fold is the test part, the next one the
 * validation part, the rest is for training. Every case is tested once. Same cases and seed, same folds.
 * @throws AppError InvalidRequest for fewer than two classes, or a class with fewer patients than folds, named.
 */
export function groupedFolds(
  cases: readonly StudyCase[],
  folds: number,
  seed: number,
  noun: GroupNoun = 'patient',
): readonly Split[] {
  if (!Number.isInteger(folds) || folds < 3) {
    throw new AppError('InvalidRequest', 'Cross-validation needs at least three folds.', {
      advice: 'One is for testing, one for validation, the rest for training.',
    });
  }
  checkClasses(cases, folds, noun);
  const buckets = groupedBuckets(cases, new Array<number>(folds).fill(1 / folds), seed);
  return buckets.map((test, fold) => {
    const next = (fold + 1) % folds;
    const train = buckets.flatMap((bucket, i) => (i === fold || i === next ? [] : bucket));
    const split = { train: ascending(train), validation: buckets[next] ?? [], test };
    checkNoLeakage(cases, split, noun);
    return split;
  });
}

/**
 * The test parts of a cross-validation inside a training part (to choose a parameter): at most `folds` of them, fewer
 * where a class has fewer patients. Throws as `groupedFolds`; a class with a single patient cannot be validated.
 */
export function innerFolds(cases: readonly StudyCase[], folds: number, seed: number): readonly (readonly number[])[] {
  checkClasses(cases, 2);
  const patients = new Map<string, Set<string>>();
  for (const { label, group } of cases) patients.set(label, (patients.get(label) ?? new Set()).add(group));
  const possible = Math.min(folds, ...Array.from(patients.values(), (groups) => groups.size));
  return groupedBuckets(cases, new Array<number>(possible).fill(1 / possible), seed);
}

/** One split by shares (they need not sum to 1), patients kept whole and classes spread evenly. Throws as `groupedFolds`. */
export function groupedSplit(
  cases: readonly StudyCase[],
  shares: SplitShares,
  seed: number,
  noun: GroupNoun = 'patient',
): Split {
  const wanted = [shares.train, shares.validation, shares.test];
  const parts = wanted.filter((share) => share > 0).length;
  checkClasses(cases, parts, noun);
  const total = wanted.reduce((sum, share) => sum + share, 0);
  const [train = [], validation = [], test = []] = groupedBuckets(
    cases,
    wanted.map((share) => share / total),
    seed,
  );
  const split = { train, validation, test };
  checkNoLeakage(cases, split, noun);
  return split;
}

/**
 * Refuses a split in which a patient (or site) is in two parts, or a case is in none, naming them. Run on every split,
 * whoever made it.
 * @param coverage `partial`: cases may be in no part, as splits of other tools have it; never in two.
 * @throws AppError InvalidRequest
 */
export function checkNoLeakage(
  cases: readonly StudyCase[],
  split: Split,
  noun: GroupNoun = 'patient',
  coverage: 'whole' | 'partial' = 'whole',
): void {
  const partOf = new Map<string, string>();
  const leaking = new Set<string>();
  const seen = new Uint8Array(cases.length);
  for (const part of ['train', 'validation', 'test'] as const) {
    for (const index of split[part]) {
      const group = cases[index]?.group;
      if (group === undefined) throw new AppError('InvalidRequest', 'The split names a case that is not in the study.');
      seen[index] = (seen[index] ?? 0) + 1;
      const known = partOf.get(group);
      if (known !== undefined && known !== part) leaking.add(group);
      partOf.set(group, part);
    }
  }
  if (leaking.size > 0) {
    const names = [...leaking].sort();
    throw new AppError('InvalidRequest', `The same ${noun} is in two parts of the split: ${listed(names)}.`, {
      advice: `Keep all slides of a ${noun} in one part: otherwise the test only measures memory.`,
      detail: names.join(', '),
    });
  }
  const wrong = cases.filter((_, i) => seen[i] !== 1 && !(coverage === 'partial' && seen[i] === 0)).map(({ id }) => id);
  if (wrong.length > 0) {
    throw new AppError('InvalidRequest', `These cases are not in exactly one part of the split: ${listed(wrong)}.`, {
      advice: 'Put each of them into one part, or take them out of the study.',
    });
  }
}

export interface PartAudit {
  readonly cases: number;
  readonly groups: number;
  /** Sites named in this part. */
  readonly sites: number;
  /** Cases per label, labels in alphabetical order. */
  readonly labels: Readonly<Record<string, number>>;
}

/** What each part of a split holds: to be shown before anything is trained. */
export function auditSplit(cases: readonly StudyCase[], split: Split): Readonly<Record<keyof Split, PartAudit>> {
  const audit = (part: readonly number[]): PartAudit => {
    const members = part.flatMap((index) => cases[index] ?? []);
    const names = [...new Set(cases.map(({ label }) => label))].sort();
    return {
      cases: members.length,
      groups: new Set(members.map(({ group }) => group)).size,
      sites: new Set(members.flatMap(({ site }) => site || [])).size,
      labels: Object.fromEntries(names.map((name) => [name, members.filter(({ label }) => label === name).length])),
    };
  };
  return { train: audit(split.train), validation: audit(split.validation), test: audit(split.test) };
}

function checkClasses(cases: readonly StudyCase[], needed: number, noun: GroupNoun = 'patient'): void {
  const groupsOf = new Map<string, Set<string>>();
  for (const { label, group } of cases) groupsOf.set(label, (groupsOf.get(label) ?? new Set()).add(group));
  if (groupsOf.size < 2) {
    throw new AppError('InvalidRequest', 'A study needs at least two classes.', {
      advice: 'Check the label column.',
      detail: [...groupsOf.keys()].join(', '),
    });
  }
  for (const [label, groups] of groupsOf) {
    if (groups.size >= needed) continue;
    throw new AppError(
      'InvalidRequest',
      `Class ${label} has ${groups.size} ${noun}${groups.size === 1 ? '' : 's'}, fewer than the ${needed} parts asked for.`,
      { advice: `Use fewer folds, or add ${noun}s of this class.` },
    );
  }
}

/**
 * Whole groups dealt into buckets of the wanted shares: large groups first, each to the bucket where it brings the
 * class counts closest to their targets (ties: the emptiest, then the first). Groups of a size in seeded order.
 */
function groupedBuckets(cases: readonly StudyCase[], shares: readonly number[], seed: number): number[][] {
  const labels = [...new Set(cases.map(({ label }) => label))].sort();
  const groups = new Map<string, number[]>();
  cases.forEach(({ group }, i) => {
    groups.set(group, [...(groups.get(group) ?? []), i]);
  });
  const names = [...groups.keys()].sort();
  const shuffled = Array.from(
    shuffledIndices(names.length, seededRandom(seed)),
    (i) => groups.get(names[i] ?? '') ?? [],
  );
  const countsOf = (members: readonly number[]) =>
    labels.map((label) => members.filter((i) => cases[i]?.label === label).length);
  const totals = countsOf(cases.map((_, i) => i));
  const filled = shares.map(() => labels.map(() => 0));
  const buckets = shares.map((): number[] => []);
  for (const members of shuffled.sort((a, b) => b.length - a.length)) {
    const counts = countsOf(members);
    const chosen = bestBucket(filled, counts, totals, shares);
    buckets[chosen]?.push(...members);
    filled[chosen] = (filled[chosen] ?? []).map((n, c) => n + (counts[c] ?? 0));
  }
  return buckets.map(ascending);
}

function bestBucket(
  filled: readonly (readonly number[])[],
  counts: readonly number[],
  totals: readonly number[],
  shares: readonly number[],
): number {
  let best = 0;
  let bestGain = Number.NEGATIVE_INFINITY;
  shares.forEach((share, b) => {
    if (share <= 0) return;
    // How much nearer to its target share of every class the bucket gets, in shares of that class.
    const gain = counts.reduce((sum, count, c) => {
      const total = Math.max(1, totals[c] ?? 1);
      const missing = share - (filled[b]?.[c] ?? 0) / total;
      const left = missing - count / total;
      return sum + (missing * missing - left * left) / share;
    }, 0);
    if (gain > bestGain + 1e-12) {
      bestGain = gain;
      best = b;
    }
  });
  return best;
}

function ascending(numbers: readonly number[]): number[] {
  return [...numbers].sort((a, b) => a - b);
}

/** At most five names, then how many more. */
export function listed(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(', ');
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}
