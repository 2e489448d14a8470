import type { ProofRecipe } from './recipes.ts';
import type { Separation, TileScore } from './tile-scores.ts';

export interface Choice {
  readonly recipe: string;
  readonly score: TileScore;
}

/**
 * The candidate and tile score that separate validation bags best: by AUC, then by the gap. Of equals the first. Labels of
 * tiles are not among what it is given.
 */
export function choose(
  recipes: readonly {
    readonly recipe: ProofRecipe;
    readonly scores: readonly { readonly score: TileScore; readonly validation: Separation }[];
  }[],
): Choice | null {
  const all = recipes.flatMap(({ recipe, scores }) =>
    recipe.role === 'candidate' ? scores.map((it) => ({ recipe: recipe.name, ...it })) : [],
  );
  const [first, ...others] = all;
  if (first === undefined) return null;
  const better = (a: Separation, b: Separation): boolean => (a.auc === b.auc ? a.gap > b.gap : a.auc > b.auc);
  const { recipe, score } = others.reduce((best, it) => (better(it.validation, best.validation) ? it : best), first);
  return { recipe, score };
}
