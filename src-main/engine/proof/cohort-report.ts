import { ATTENTION_CAUTION } from '../../../src-shared/model/attention-view.ts';
import type { Choice } from './choose.ts';
import type { CohortRecipeResult } from './cohort-proof.ts';
import type { CohortSpec } from './cohort-slides.ts';
import type { Figure } from './resample-tiles.ts';

export interface CohortBackboneReport {
  readonly backbone: string;
  readonly sha256: string;
  readonly cut: string;
  readonly featureDim: number;
  readonly control: boolean;
  readonly recipes: readonly CohortRecipeResult[];
  readonly chosen: Choice | null;
}

/** A whole run, with all that repeats it. */
export interface CohortReport {
  readonly cohort: CohortSpec;
  readonly slides: { readonly train: number; readonly validation: number; readonly test: number };
  readonly tiles: number;
  /** Of the tiles of test slides with lesions. */
  readonly lesionTiles: number;
  readonly lesionShare: number;
  readonly seeds: readonly number[];
  readonly resamples: number;
  readonly backbones: readonly CohortBackboneReport[];
  readonly versions: Readonly<Record<string, string>>;
  readonly seconds: number;
}

/** One table for all backbones: AUCs of slides and, within slides, of tiles against the true mask. */
export function cohortReportMarkdown(report: CohortReport): string {
  const { cohort, slides, seeds } = report;
  return [
    `# Synthetic cohort of ${cohort.slides} slides`,
    '',
    `${cohort.sidePx} px at ${cohort.mppUm} µm, every second one with lesions, seed ${cohort.seed}: ${slides.train} slides to train on, ${slides.validation} to choose by, ${slides.test} to judge by; ${report.tiles} tiles, ${report.lesionTiles} of the judged ones at least ${100 * report.lesionShare} % lesion. Seeds of the heads ${seeds.join(', ')}. Only slide labels are trained on; intervals by bootstrap over slides.`,
    '',
    '| backbone | training | slide AUC | tile score | tile AUC | by seed | validation slides |',
    '|---|---|---|---|---|---|---|',
    ...report.backbones.flatMap(rowsOf),
    '',
    `Tile AUC: mean over the test slides with lesions of the AUC within the slide. ${ATTENTION_CAUTION}`,
    '',
  ].join('\n');
}

function rowsOf({ backbone, control, recipes, chosen }: CohortBackboneReport): string[] {
  const title = control ? `${backbone} (control: random weights)` : backbone;
  return recipes.flatMap(({ recipe, slideAuc, scores }) =>
    scores.map(({ score, tileAuc, bySeed, validation }) => {
      const isChosen = chosen?.recipe === recipe.name && chosen.score === score;
      const name = isChosen ? `**${recipe.name}** (chosen)` : recipe.name;
      const seeds = bySeed.map((value) => value.toFixed(3)).join(' ');
      return `| ${title} | ${name} | ${text(slideAuc)} | ${score} | ${text(tileAuc)} | ${seeds} | ${validation.auc.toFixed(3)}, gap ${validation.gap.toFixed(1)} |`;
    }),
  );
}

function text({ value, low, high }: Figure): string {
  return low === null || high === null
    ? value.toFixed(3)
    : `${value.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`;
}
