import type { PatchProof, RecipeResult, ScoredTiles } from './patch-proof.ts';
import type { Figure } from './resample-tiles.ts';

/** The proof of one backbone. */
export interface BackboneProof {
  readonly backbone: string;
  readonly sha256: string;
  readonly cut: string;
  readonly featureDim: number;
  /** True for the network of random weights that shows what bags alone give away. */
  readonly control: boolean;
  readonly proof: PatchProof;
}

/** A whole run, with all that repeats it. */
export interface PatchProofReport {
  readonly data: string;
  /** SHA-256 over the hashes of all images, in their order. */
  readonly dataSha256: string;
  readonly positive: string;
  readonly negative: string;
  readonly parts: 'own' | 'anew';
  readonly tiles: { readonly train: number; readonly test: number };
  readonly seeds: readonly number[];
  readonly bags: { readonly count: number; readonly tiles: number; readonly positiveShare: readonly [number, number] };
  readonly validationShare: number;
  readonly testBags: number;
  readonly resamples: number;
  readonly aim: number;
  readonly backbones: readonly BackboneProof[];
  readonly versions: Readonly<Record<string, string>>;
  readonly notes: readonly string[];
  readonly seconds: number;
}

/** The tile score validation bags chose, of the chosen training done again on the whole training part. */
export function verdictOf({ refit, chosen }: PatchProof): ScoredTiles | null {
  return refit?.scores.find(({ score }) => score === chosen?.score) ?? null;
}

/** One table per backbone: AUCs of bags and of tiles, 95 % intervals over distinct tiles, mean over seeds. */
export function patchReportMarkdown(report: PatchProofReport): string {
  const { positive, negative, bags, seeds, tiles } = report;
  const parts = report.parts === 'own' ? "the data set's own parts" : 'tiles of both parts dealt out anew';
  return [
    `# ${report.data}: ${positive} among ${negative}`,
    '',
    `${bags.count} bags of ${bags.tiles} tiles, ${percent(bags.positiveShare[0])} to ${percent(bags.positiveShare[1])} ${positive} in a positive one; ${parts}: ${tiles.train} tiles to train on, ${tiles.test} to judge by. Seeds ${seeds.join(', ')}; ${report.resamples} draws of the distinct tiles.`,
    '',
    ...report.backbones.flatMap((backbone) => [...backboneTable(backbone, report.aim), '']),
    ...report.notes.map((note) => `- ${note}`),
    '',
  ].join('\n');
}

function backboneTable({ backbone, sha256, cut, control, proof }: BackboneProof, aim: number): string[] {
  const title = control ? `${backbone} (control: random weights)` : backbone;
  const rows = proof.recipes.flatMap((result) =>
    result.scores.map((score) => {
      const isChosen = proof.chosen?.recipe === result.recipe.name && proof.chosen.score === score.score;
      return tableRow(result, score, isChosen);
    }),
  );
  return [
    `## ${title}`,
    '',
    `Cut ${cut}, SHA-256 ${sha256.slice(0, 16)}….`,
    '',
    '| training | bag AUC | tile score | tile AUC | by seed | mean of seeds | validation bags |',
    '|---|---|---|---|---|---|---|',
    ...rows,
    ...refitRow(proof),
    `| supervised tile probe | | labels of all tiles | ${withInterval(proof.probe)} | | | C = ${proof.probeC} |`,
    '',
    ...verdictLines(proof, aim),
  ];
}

function tableRow({ recipe, bagAuc }: RecipeResult, score: ScoredTiles, isChosen: boolean): string {
  const name = isChosen ? `**${recipe.name}** (chosen)` : recipe.name;
  const seeds = score.bySeed.map(fixed).join(' ');
  const { auc, gap } = score.validation;
  return `| ${name} | ${withInterval(bagAuc)} | ${score.score} | ${withInterval(score.tileAuc)} | ${seeds} | ${withInterval(score.ensembleAuc)} | ${auc.toFixed(3)}, gap ${gap.toFixed(1)} |`;
}

function refitRow({ refit, chosen }: PatchProof): string[] {
  const score = refit?.scores.find((each) => each.score === chosen?.score);
  if (!refit || !score) return [];
  const seeds = score.bySeed.map(fixed).join(' ');
  return [
    `| ${refit.recipe.name}, on the whole training part | ${withInterval(refit.bagAuc)} | ${score.score} | ${withInterval(score.tileAuc)} | ${seeds} | ${withInterval(score.ensembleAuc)} | |`,
  ];
}

function verdictLines(proof: PatchProof, aim: number): string[] {
  const verdict = verdictOf(proof);
  if (verdict === null || proof.chosen === null) return [];
  const reached = (value: number): string => (value >= -aim ? 'within' : 'not within');
  const { lessProbe, ensembleLessProbe } = verdict;
  return [
    `Validation bags chose ${proof.chosen.recipe}, ${proof.chosen.score}. Trained so on the whole training part, less the probe: ${signed(lessProbe)} by single seeds (${reached(lessProbe.value)} ${aim}), ${signed(ensembleLessProbe)} by the mean of the seeds (${reached(ensembleLessProbe.value)} ${aim}).`,
  ];
}

const fixed = (value: number): string => value.toFixed(2);
const percent = (share: number): string => `${Math.round(100 * share)} %`;

function withInterval({ value, low, high }: Figure): string {
  return low === null || high === null ? fixed(value) : `${fixed(value)} (${fixed(low)} to ${fixed(high)})`;
}

function signed({ value, low, high }: Figure): string {
  const sign = (number: number): string => `${number < 0 ? '−' : '+'}${Math.abs(number).toFixed(3)}`;
  return low === null || high === null ? sign(value) : `${sign(value)} (${sign(low)} to ${sign(high)})`;
}
