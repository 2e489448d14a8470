import { attentionWidth, embeddingWidths } from '../learn/head-spec.ts';
import type { ProofRecipe } from './recipes.ts';
import type { Separation, TileScore } from './tile-scores.ts';

export interface Choice {
  readonly recipe: string;
  readonly score: TileScore;
}

/**
 * Of the candidates that validation bags cannot tell from the best (AUC within one standard error over seeds), the head with
 * the fewest layers and units; of equals the better AUC, then the wider gap, then the first. A simple head is the safer one
 * where all separate their own kind of bags perfectly (one-standard-error rule: Hastie et al., 2009, section 7.10). Labels of
 * tiles are not among what it is given.
 */
export function choose(
  recipes: readonly {
    readonly recipe: ProofRecipe;
    readonly scores: readonly { readonly score: TileScore; readonly validation: Separation }[];
  }[],
): Choice | null {
  const all = recipes.flatMap(({ recipe, scores }) =>
    recipe.role === 'candidate' ? scores.map((it) => ({ recipe: recipe.name, size: sizeOf(recipe), ...it })) : [],
  );
  const best = all.reduce(
    (top, { validation }) => (validation.auc > (top?.auc ?? -1) ? validation : top),
    all[0]?.validation,
  );
  if (best === undefined) return null;
  const alike = all.filter(({ validation }) => validation.auc >= best.auc - (best.aucError ?? 0));
  const [chosen] = alike.sort(
    (a, b) => a.size - b.size || b.validation.auc - a.validation.auc || b.validation.gap - a.validation.gap,
  );
  return chosen ? { recipe: chosen.recipe, score: chosen.score } : null;
}

/** Units of the layers before the last: 0 for a linear score of tiles. */
function sizeOf({ settings: { pooling } }: ProofRecipe): number {
  return embeddingWidths(pooling).reduce((sum, width) => sum + width, attentionWidth(pooling));
}
