import type { CutPoint } from '../../../src-shared/model/backbone.ts';
import type { BackboneScore, CutScore, ScoredInterval } from '../../../src-shared/model/comparison.ts';
import { mean } from '../../../src-shared/numeric/statistics.ts';
import type { BootstrapInterval } from '../study/bootstrap.ts';
import { knowledgeGain, paretoFront, sweetSpot } from '../study/knowledge-gain.ts';
import type { PatchTask } from './patch-task.ts';
import { chosenInTraining, type TaskScore } from './score-task.ts';

/** What was computed of one backbone on one task. */
export interface BackboneOnTask {
  readonly name: string;
  readonly cuts: readonly CutPoint[];
  readonly msPerImage: readonly number[];
  readonly scores: readonly TaskScore[];
  /** twins[s][c]: twin s at cut c. */
  readonly twins: readonly (readonly TaskScore[])[];
}

/** Rounds an interval and a score into the form that is stored. */
export function withInterval(score: TaskScore, interval: BootstrapInterval | null): ScoredInterval {
  const known = interval !== null && Number.isFinite(interval.low);
  return {
    score: score.score,
    bySeed: score.bySeed,
    seedSd: score.seedSd,
    low: known ? interval.low : null,
    high: known ? interval.high : null,
  };
}

/**
 * A backbone's table on one task: scores, gains over its random twins, the cut chosen in training, sweet spot and
 * Pareto fronts.
 * @param intervalOf computes the interval of a score; called for every cut and for the chosen one.
 * @param tolerance how much worse than the best the sweet spot may be (0.01 = one point).
 */
export function backboneScore(
  task: PatchTask,
  of: BackboneOnTask,
  intervalOf: (score: TaskScore) => BootstrapInterval | null,
  tolerance: number,
): BackboneScore {
  const random = of.cuts.map((_, c) => of.twins.flatMap((twin) => twin[c]?.score ?? []));
  const gains = knowledgeGain(
    of.cuts.map((cut, c) => ({
      cut: cut.name,
      cumulativeParameters: cut.cumulativeParameters,
      pretrained: of.scores[c]?.score ?? Number.NaN,
      random: random[c] ?? [],
    })),
  );
  const hasTwins = of.twins.length > 0;
  const cuts = of.cuts.flatMap((cut, c): CutScore[] => {
    const score = of.scores[c];
    const gain = gains[c];
    if (score === undefined || gain === undefined) return [];
    return [
      {
        ...withInterval(score, intervalOf(score)),
        cut: cut.name,
        featureDim: cut.featureDim,
        parameters: cut.cumulativeParameters,
        flops: cut.cumulativeFlops,
        msPerImage: of.msPerImage[c] ?? Number.NaN,
        innerScore: mean(score.parts.map(({ innerScore }) => innerScore)),
        chosen: score.parts.map(({ chosen }) => chosen),
        notConverged: score.parts.filter(({ converged }) => !converged).length,
        random: random[c] ?? [],
        gain: hasTwins ? gain.gain : null,
        incrementalGain: gain.incremental,
        normalisedGain: hasTwins && Number.isFinite(gain.normalised) ? gain.normalised : null,
        noBetterThanRandom: of.twins.length > 1 ? gain.noBetterThanRandom : null,
      },
    ];
  });
  const chosen = chosenInTraining(task, of.scores);
  return {
    backbone: of.name,
    cuts,
    chosen: withInterval(chosen.score, intervalOf(chosen.score)),
    timesChosen: Object.fromEntries(of.cuts.map(({ name }, c) => [name, chosen.timesChosen[c] ?? 0])),
    random: of.twins.map((twin) => chosenInTraining(task, twin).score.score),
    ...costs(cuts, tolerance),
  };
}

function costs(cuts: readonly CutScore[], tolerance: number): Pick<BackboneScore, 'sweetSpot' | 'pareto'> {
  const by = (cost: (cut: CutScore) => number) => cuts.map((it) => ({ name: it.cut, score: it.score, cost: cost(it) }));
  const front = (cost: (cut: CutScore) => number) => paretoFront(by(cost)).map(({ name }) => name);
  return {
    sweetSpot:
      sweetSpot(
        by(({ parameters }) => parameters),
        tolerance,
      )?.name ?? null,
    pareto: {
      parameters: front(({ parameters }) => parameters),
      flops: front(({ flops }) => flops),
      ms: front(({ msPerImage }) => msPerImage),
    },
  };
}
