import { mean, sampleSd } from '../../../src-shared/numeric/statistics.ts';
import { RandomStream } from '../backbone/random-stream.ts';
import type { EpochRecord } from '../learn/train-head.ts';
import { decisionValues, rowsOf, type Samples, standardised } from '../study/linear-model.ts';
import { rocAuc } from '../study/metrics.ts';
import { fitProbe } from '../study/probe.ts';
import { type Choice, choose } from './choose.ts';
import { type BagRecipe, type MadeBag, makeBags, splitTiles, type TilePart } from './make-bags.ts';
import { headTraining, type ProofRecipe } from './recipes.ts';
import { type Figure, figureOf, tileDraws } from './resample-tiles.ts';
import {
  bagLogit,
  meanSeparation,
  type Separation,
  scoresOfTiles,
  separation,
  type TileScore,
  tileScoresOf,
} from './tile-scores.ts';
import type { Trial, TrialResult } from './trial.ts';
import { runTrials, type TrialHooks } from './trial-pool.ts';

/** Patches of two classes with the features of one backbone. */
export interface PatchTiles {
  readonly features: Samples;
  /** By row of the features. */
  readonly train: TilePart;
  readonly test: TilePart;
}

export interface ProofPlan {
  readonly recipes: readonly ProofRecipe[];
  readonly seeds: readonly number[];
  readonly bags: BagRecipe;
  /** Share of the training part's tiles that validation bags are made from. */
  readonly validationShare: number;
  readonly testBags: number;
  readonly resamples: number;
  readonly threads: number;
}

/** One tile score of one recipe. */
export interface ScoredTiles {
  readonly score: TileScore;
  /** Mean of the seeds' AUCs over the distinct tiles of the test part. */
  readonly tileAuc: Figure;
  readonly bySeed: readonly number[];
  readonly seedSd: number;
  /** AUC of the seeds' mean score: each brought to mean 0 and variance 1 of the training part's tiles before. */
  readonly ensembleAuc: Figure;
  /** `ensembleAuc` less the supervised probe's AUC on the same draws. */
  readonly ensembleLessProbe: Figure;
  /** `tileAuc` less the supervised probe's AUC on the same draws. */
  readonly lessProbe: Figure;
  /** What the validation bags say, mean over seeds: all that a choice may look at. */
  readonly validation: Separation;
}

export interface RecipeResult {
  readonly recipe: ProofRecipe;
  readonly bagAuc: Figure;
  readonly bagAucBySeed: readonly number[];
  readonly scores: readonly ScoredTiles[];
  readonly histories: readonly (readonly EpochRecord[])[];
  readonly bestEpochs: readonly number[];
}

export interface PatchProof {
  /** A linear probe of the training part's tiles with their labels: what labels of tiles would have given. */
  readonly probe: Figure;
  readonly probeC: number;
  readonly recipes: readonly RecipeResult[];
  /** The candidate and tile score that validation bags of the training part chose; null without candidates. */
  readonly chosen: Choice | null;
  /**
   * The chosen training done again on bags of the whole training part, as the probe has the whole part too: as many epochs,
   * or the penalty, that each seed's validation bags had found best. Null without candidates.
   */
  readonly refit: RecipeResult | null;
}

/**
 * Learns from bag labels and asks how well single tiles are found: every recipe with every seed, beside a probe that was told
 * the tiles' labels. Bags for training and validation come from the training part and share no tile; the test part is looked
 * at once, for the figures. The choice between candidates knows bag labels of the training part only.
 *
 * @throws AppError InvalidRequest, Cancelled.
 */
export async function provePatches(tiles: PatchTiles, plan: ProofPlan, hooks: TrialHooks = {}): Promise<PatchProof> {
  const made = plan.seeds.map((seed) => bagsOf(tiles, plan, seed));
  const results = await runTrials(trialsOf(tiles, plan, made), plan.threads, hooks);
  const draws = tileDraws(tiles.test, plan.resamples, plan.seeds[0] ?? 0);
  const probe = supervisedProbe(tiles, plan.seeds[0] ?? 0);
  const probeAucs = draws.map((draw) => tileAuc(probe.scores, draw));
  const judge = (recipe: ProofRecipe, own: readonly TrialResult[]): RecipeResult => {
    const { pooling } = recipe.settings;
    const bagAucBySeed = own.map(({ test }, s) => rocAuc(labelsOf(made[s]?.test ?? []), test));
    return {
      recipe,
      bagAuc: { ...bagInterval(pooling, own, draws, plan), value: mean(bagAucBySeed) },
      bagAucBySeed,
      scores: tileScoresOf(pooling).map((score) => scored(score, own, made, tiles, draws, probeAucs)),
      histories: own.map(({ history }) => history),
      bestEpochs: own.map(({ bestEpoch }) => bestEpoch),
    };
  };
  const recipes = plan.recipes.map((recipe, r) =>
    judge(recipe, results.slice(r * plan.seeds.length, (r + 1) * plan.seeds.length)),
  );
  const chosen = choose(recipes);
  const again = recipes.find(({ recipe }) => recipe.name === chosen?.recipe);
  const refit =
    again && judge(again.recipe, await runTrials(refitTrials(tiles, plan, made, again), plan.threads, hooks));
  return { probe: figureOf(probeAucs), probeC: probe.c, recipes, chosen, refit: refit ?? null };
}

interface SeedBags {
  readonly train: readonly MadeBag[];
  readonly validation: readonly MadeBag[];
  readonly test: readonly MadeBag[];
}

function bagsOf(tiles: PatchTiles, { bags, validationShare, testBags }: ProofPlan, seed: number): SeedBags {
  const [fit, held] = splitTiles(tiles.train, validationShare, new RandomStream(seed, 'validation tiles'));
  return {
    train: makeBags(fit, bags, new RandomStream(seed, 'training bags')),
    validation: makeBags(held, { ...bags, bags: Math.ceil(bags.bags / 3) }, new RandomStream(seed, 'validation bags')),
    test: makeBags(tiles.test, { ...bags, bags: testBags }, new RandomStream(seed, 'test bags')),
  };
}

/** The chosen training with nothing left to choose, on bags of all tiles of the training part. */
function refitTrials(tiles: PatchTiles, plan: ProofPlan, made: readonly SeedBags[], chosen: RecipeResult): Trial[] {
  const features = sharedFeatures(tiles);
  return plan.seeds.map((seed, s): Trial => {
    const { validation, test } = made[s] as SeedBags;
    const training = headTraining(chosen.recipe.settings, tiles.features.dim, seed);
    const epochs = chosen.bestEpochs[s] ?? training.epochs;
    const penalty = chosen.histories[s]?.[epochs - 1]?.penalty;
    const train = makeBags(tiles.train, plan.bags, new RandomStream(seed, 'training bags of the whole part'));
    const settled = { ...training, epochs, patience: null, keepLast: true };
    return {
      ...{ features, train, validation, test },
      training: penalty === undefined ? settled : { ...settled, penalties: [penalty] },
    };
  });
}

function sharedFeatures({ features }: PatchTiles): SharedArrayBuffer {
  const shared = new SharedArrayBuffer(features.data.length * Float32Array.BYTES_PER_ELEMENT);
  new Float32Array(shared).set(features.data);
  return shared;
}

function trialsOf(tiles: PatchTiles, plan: ProofPlan, made: readonly SeedBags[]): Trial[] {
  const { features } = tiles;
  const shared = sharedFeatures(tiles);
  return plan.recipes.flatMap(({ settings }) =>
    plan.seeds.map((seed, s): Trial => {
      const { train, validation, test } = made[s] as SeedBags;
      return { training: headTraining(settings, features.dim, seed), features: shared, train, validation, test };
    }),
  );
}

function scored(
  score: TileScore,
  results: readonly TrialResult[],
  made: readonly SeedBags[],
  tiles: PatchTiles,
  draws: readonly TilePart[],
  probeAucs: readonly number[],
): ScoredTiles {
  const bySeedScores = results.map((result) => scoresOfTiles(result, score));
  const aucs = bySeedScores.map((scores) => draws.map((draw) => tileAuc(scores, draw)));
  const means = draws.map((_, d) => mean(aucs.map((ofSeed) => ofSeed[d] ?? Number.NaN)));
  const ensemble = meanScore(bySeedScores, tiles.train);
  const ensembleAucs = draws.map((draw) => tileAuc(ensemble, draw));
  const judged = bySeedScores.map((scores, s) => separation(scores, made[s]?.validation ?? []));
  const bySeed = aucs.map(([own]) => own ?? Number.NaN);
  return {
    score,
    tileAuc: figureOf(means),
    bySeed,
    seedSd: sampleSd(bySeed),
    ensembleAuc: figureOf(ensembleAucs),
    ensembleLessProbe: figureOf(ensembleAucs.map((auc, d) => auc - (probeAucs[d] ?? Number.NaN))),
    lessProbe: figureOf(means.map((auc, d) => auc - (probeAucs[d] ?? Number.NaN))),
    validation: meanSeparation(judged),
  };
}

/** Mean over seeds of scores brought to mean 0 and variance 1 of the training part's tiles; no label is looked at. */
function meanScore(bySeed: readonly Float64Array[], { positive, negative }: TilePart): Float64Array {
  const sum = new Float64Array(bySeed[0]?.length ?? 0);
  for (const scores of bySeed) {
    const known = [...positive, ...negative].map((tile) => scores[tile] ?? 0);
    const [middle, spread] = [mean(known), sampleSd(known) || 1];
    scores.forEach((value, tile) => {
      sum[tile] = (sum[tile] ?? 0) + (value - middle) / spread / bySeed.length;
    });
  }
  return sum;
}

function tileAuc(scores: Float64Array, { positive, negative }: TilePart): number {
  const tiles = [...positive, ...negative];
  return rocAuc(
    tiles.map((_, i) => Number(i < positive.length)),
    tiles.map((tile) => scores[tile] ?? 0),
  );
}

/** Bags are made anew from each draw of tiles: bags of one draw share tiles and are no units of their own. */
function bagInterval(
  pooling: string,
  results: readonly TrialResult[],
  draws: readonly TilePart[],
  { bags, testBags, seeds }: ProofPlan,
): Figure {
  const aucs = draws.map((draw, d) =>
    mean(
      results.map((result, s) => {
        const again = makeBags(draw, { ...bags, bags: testBags }, new RandomStream(seeds[s] ?? 0, `test bags ${d}`));
        return rocAuc(
          labelsOf(again),
          again.map(({ tiles }) => bagLogit(pooling, result, tiles)),
        );
      }),
    ),
  );
  return figureOf(aucs);
}

const labelsOf = (bags: readonly MadeBag[]): number[] => bags.map(({ label }) => label);

/** Logistic regression on standardised features, C chosen by folds inside the training part. */
function supervisedProbe({ features, train }: PatchTiles, seed: number): { scores: Float64Array; c: number } {
  const rows = [...train.positive, ...train.negative];
  const { model, standardiser, chosen } = fitProbe(
    {
      samples: rowsOf(features, rows),
      labels: Uint32Array.from(rows, (_, i) => Number(i < train.positive.length)),
      classes: 2,
      groups: rows.map(String),
    },
    { kind: 'logistic', seed, standardise: true, grid: PROBE_GRID },
  );
  const ready = standardiser === null ? features : standardised(features, standardiser);
  return { scores: decisionValues(model, ready), c: chosen.c };
}

const PROBE_GRID = [1e-4, 1e-3, 1e-2, 0.1, 1];
