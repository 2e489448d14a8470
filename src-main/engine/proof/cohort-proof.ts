import { mean, sampleSd } from '../../../src-shared/numeric/statistics.ts';
import { type BootstrapInterval, bootstrapInterval } from '../study/bootstrap.ts';
import { rocAuc } from '../study/metrics.ts';
import type { CohortTiles } from './cohort-slides.ts';
import type { MadeBag } from './make-bags.ts';
import { headTraining, type ProofRecipe } from './recipes.ts';
import type { Figure } from './resample-tiles.ts';
import {
  meanSeparation,
  type Separation,
  scoresOfTiles,
  separation,
  type TileScore,
  tileScoresOf,
} from './tile-scores.ts';
import type { Trial, TrialResult } from './trial.ts';
import { runTrials, type TrialHooks } from './trial-pool.ts';

export interface CohortPlan {
  readonly recipes: readonly ProofRecipe[];
  readonly seeds: readonly number[];
  readonly resamples: number;
  readonly threads: number;
}

/** One tile score of one recipe, judged by the true masks of the test slides that hold lesions. */
export interface CohortScore {
  readonly score: TileScore;
  /** Mean over slides of the AUC within a slide, mean over seeds; interval by bootstrap over slides. */
  readonly tileAuc: Figure;
  readonly bySeed: readonly number[];
  readonly seedSd: number;
  readonly validation: Separation;
}

export interface CohortRecipeResult {
  readonly recipe: ProofRecipe;
  /** AUC of the test slides' labels, mean over seeds; interval by bootstrap over slides. */
  readonly slideAuc: Figure;
  readonly scores: readonly CohortScore[];
}

/** A tile is lesion where at least this share of it is. */
export const LESION_SHARE = 0.5;

/**
 * Trains heads on the slide labels of a synthetic cohort and asks how well their maps find the planted lesions of slides they
 * have not seen.
 * @param backbone which of the features of `CohortTiles`.
 * @throws AppError InvalidRequest, Cancelled.
 */
export async function proveCohort(
  cohort: readonly CohortTiles[],
  backbone: number,
  featureDim: number,
  plan: CohortPlan,
  hooks: TrialHooks = {},
): Promise<readonly CohortRecipeResult[]> {
  const { features, bags } = oneTable(cohort, backbone);
  const of = (part: string): MadeBag[] => bags.filter((_, i) => cohort[i]?.slide.part === part);
  const [train, validation, test] = [of('train'), of('validation'), of('test')];
  const trials = plan.recipes.flatMap(({ settings }) =>
    plan.seeds.map(
      (seed): Trial => ({ training: headTraining(settings, featureDim, seed), features, train, validation, test }),
    ),
  );
  const results = await runTrials(trials, plan.threads, hooks);
  const truth = cohort.flatMap(({ lesionShare }) => [...lesionShare]).map((share) => Number(share >= LESION_SHARE));
  const seen = test.filter(({ tiles }) => new Set(Array.from(tiles, (tile) => truth[tile])).size === 2);
  return plan.recipes.map((recipe, r) => {
    const own = results.slice(r * plan.seeds.length, (r + 1) * plan.seeds.length);
    const scores = tileScoresOf(recipe.settings.pooling).map((score) =>
      judged(score, own, seen, validation, truth, plan),
    );
    return { recipe, slideAuc: slideFigure(own, test, plan), scores };
  });
}

/** All tiles of the cohort in one table, and each slide as a bag of its rows. */
function oneTable(cohort: readonly CohortTiles[], backbone: number): { features: SharedArrayBuffer; bags: MadeBag[] } {
  const parts = cohort.map(({ features }) => features[backbone] ?? new Float32Array(0));
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  const features = new SharedArrayBuffer(total * Float32Array.BYTES_PER_ELEMENT);
  let [value, tile] = [0, 0];
  const bags = cohort.map(({ slide, laid }, i) => {
    const part = parts[i] ?? new Float32Array(0);
    new Float32Array(features).set(part, value);
    value += part.length;
    const first = tile;
    tile += laid.grid.tileCount;
    return { tiles: Uint32Array.from({ length: laid.grid.tileCount }, (_, t) => first + t), label: slide.label };
  });
  return { features, bags };
}

function judged(
  score: TileScore,
  results: readonly TrialResult[],
  seen: readonly MadeBag[],
  validation: readonly MadeBag[],
  truth: readonly number[],
  { seeds, resamples }: CohortPlan,
): CohortScore {
  const bySlide = results.map((result) => {
    const scores = scoresOfTiles(result, score);
    return seen.map(({ tiles }) => {
      const rows = Array.from(tiles);
      return rocAuc(
        rows.map((tile) => truth[tile] ?? 0),
        rows.map((tile) => scores[tile] ?? 0),
      );
    });
  });
  const means = seen.map((_, s) => mean(bySlide.map((ofSeed) => ofSeed[s] ?? Number.NaN)));
  const interval =
    seen.length === 0
      ? null
      : bootstrapInterval(seen.length, null, (rows) => mean(Array.from(rows, (row) => means[row] ?? 0)), {
          ...{ seed: seeds[0] ?? 0, resamples },
        });
  const separations = results.map((result) => separation(scoresOfTiles(result, score), validation));
  const bySeed = bySlide.map((slides) => mean(slides));
  return {
    score,
    tileAuc: figure(interval),
    bySeed,
    seedSd: sampleSd(bySeed),
    validation: meanSeparation(separations),
  };
}

function slideFigure(
  results: readonly TrialResult[],
  test: readonly MadeBag[],
  { seeds, resamples }: CohortPlan,
): Figure {
  if (test.length === 0) return figure(null);
  const ofRows = (rows: Uint32Array): number => {
    const labels = Array.from(rows, (row) => test[row]?.label ?? 0);
    return mean(
      results.map(({ test: logits }) =>
        rocAuc(
          labels,
          Array.from(rows, (row) => logits[row] ?? 0),
        ),
      ),
    );
  };
  return figure(bootstrapInterval(test.length, null, ofRows, { seed: seeds[0] ?? 0, resamples }));
}

function figure(interval: BootstrapInterval | null): Figure {
  if (interval === null) return { value: Number.NaN, low: null, high: null };
  const known = Number.isFinite(interval.low) && Number.isFinite(interval.high);
  return { value: interval.estimate, low: known ? interval.low : null, high: known ? interval.high : null };
}
