import { mean, sampleSd } from '../../../src-shared/numeric/statistics.ts';

/**
 * What a layer owes to its training. Our operationalisation of the question of Li and Plataniotis 2020 (their formula
 * was not at hand): identical folds and classifier for the pretrained network and its random-weight twins.
 */
export const KNOWLEDGE_GAIN_FORMULA = 'KG(l) = S_pretrained(l) − mean S_random(l)';

/** Scores (higher is better, at most 1) of one cut of a backbone. */
export interface LayerScores {
  readonly cut: string;
  readonly cumulativeParameters: number;
  readonly pretrained: number;
  /** One score per random initialisation. */
  readonly random: readonly number[];
}

export interface LayerGain {
  readonly cut: string;
  readonly gain: number;
  /** S_pretrained(l) - S_pretrained(l - 1); null for the first cut. */
  readonly incremental: number | null;
  /** Gain over what random weights left to gain; NaN where they are perfect. */
  readonly normalised: number;
  readonly randomMean: number;
  readonly randomSd: number;
  /** True where the gain does not exceed two standard deviations of the random twins. */
  readonly noBetterThanRandom: boolean;
}

/** Gains of the cuts in the order given (input side first). At least two random twins are needed for the flag. */
export function knowledgeGain(layers: readonly LayerScores[]): readonly LayerGain[] {
  return layers.map((layer, l) => {
    const randomMean = mean(layer.random);
    const randomSd = sampleSd(layer.random);
    const gain = layer.pretrained - randomMean;
    const before = layers[l - 1];
    return {
      cut: layer.cut,
      gain,
      incremental: before === undefined ? null : layer.pretrained - before.pretrained,
      normalised: randomMean < 1 ? gain / (1 - randomMean) : Number.NaN,
      randomMean,
      randomSd,
      noBetterThanRandom: !(gain > 2 * randomSd),
    };
  });
}

/** Something with a score (higher is better) and a cost (lower is better): parameters, FLOPs or seconds a slide. */
export interface ScoredCost {
  readonly score: number;
  readonly cost: number;
}

/** The cheapest candidate within `tolerance` of the best score; of equal costs the better one. Null for none. */
export function sweetSpot<T extends ScoredCost>(candidates: readonly T[], tolerance: number): T | null {
  const best = candidates.reduce((top, { score }) => Math.max(top, score), Number.NEGATIVE_INFINITY);
  const good = candidates.filter(({ score }) => score >= best - tolerance);
  return good.sort((a, b) => a.cost - b.cost || b.score - a.score)[0] ?? null;
}

/** Candidates that no other one beats in score and cost at once, cheapest first. */
export function paretoFront<T extends ScoredCost>(candidates: readonly T[]): readonly T[] {
  let best = Number.NEGATIVE_INFINITY;
  return [...candidates]
    .sort((a, b) => a.cost - b.cost || b.score - a.score)
    .filter(({ score }) => {
      const better = score > best;
      best = Math.max(best, score);
      return better;
    });
}
