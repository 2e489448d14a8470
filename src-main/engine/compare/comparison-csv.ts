import type { Comparison } from '../../../src-shared/model/comparison.ts';
import { mean } from '../../../src-shared/numeric/statistics.ts';
import { csvLine } from '../interop/csv.ts';

const SCORE_COLUMNS = [
  ...['task', 'metric', 'images', 'groups', 'chance', 'backbone', 'architecture', 'origin', 'cut', 'score', 'low95'],
  ...[
    'high95',
    'seed_sd',
    'inner_score',
    'random_mean',
    'random_scores',
    'gain',
    'incremental_gain',
    'normalised_gain',
  ],
  ...['no_better_than_random', 'feature_dim', 'parameters', 'flops', 'ms_per_image', 'not_converged', 'confounded'],
] as const;

/** One row per task, backbone and cut; the row of cut `chosen` is the one chosen inside the training parts. */
export function scoresCsv({ tasks, backbones }: Comparison): string {
  const rows = tasks.flatMap((task) =>
    task.backbones.flatMap((backbone, b) => {
      const card = backbones[b];
      const of = [task.task, task.metric, task.images, blank(task.groups), task.chance, backbone.backbone];
      const head = [...of, card?.architecture ?? '', card?.origin ?? ''];
      const alarm = task.confounds[0]?.alarm === true ? 1 : 0;
      const { score, low, high, seedSd } = backbone.chosen;
      const randoms = backbone.random;
      const chosen = [
        ...[...head, 'chosen', score, blank(low), blank(high), seedSd, ''],
        ...[randoms.length === 0 ? '' : mean(randoms), randoms.join(' ')],
        ...[randoms.length === 0 ? '' : score - mean(randoms), '', '', '', '', '', '', '', '', alarm],
      ];
      const cuts = backbone.cuts.map((cut) => [
        ...[...head, cut.cut, cut.score, blank(cut.low), blank(cut.high), cut.seedSd, cut.innerScore],
        ...[cut.random.length === 0 ? '' : mean(cut.random), cut.random.join(' '), blank(cut.gain)],
        ...[blank(cut.incrementalGain), blank(cut.normalisedGain)],
        cut.noBetterThanRandom === null ? '' : Number(cut.noBetterThanRandom),
        ...[cut.featureDim, cut.parameters, cut.flops, cut.msPerImage, cut.notConverged, alarm],
      ]);
      return [chosen, ...cuts];
    }),
  );
  return lines([SCORE_COLUMNS, ...rows]);
}

/** One row per task and pair of backbones. */
export function pairsCsv({ tasks }: Comparison): string {
  const header = ['task', 'a', 'b', 'difference', 'low95', 'high95', 'test', 'p', 'p_holm', 'effect', 'effect_name'];
  const rows = tasks.flatMap(({ task, pairs }) =>
    pairs.map((it) => [
      ...[task, it.a, it.b, it.difference, it.low, it.high, it.test, it.pValue, it.correctedP, it.effect],
      ...[it.effectName, blank(it.effectSize ?? null), it.effectSizeName ?? ''],
      ...[it.twiceSd === null ? '' : it.twiceSd, it.sentence],
    ]),
  );
  return lines([[...header, 'effect_size', 'effect_size_name', 'twice_sd_rule', 'sentence'], ...rows]);
}

/** One row per control and task, then per pair of classes. */
export function controlsCsv({ tasks }: Comparison): string {
  const header = [
    'task',
    'classes',
    'metric',
    'control',
    'control_score',
    'best_backbone',
    'best_score',
    'reached',
    'alarm',
  ];
  const rows = tasks.flatMap(({ task, confounds, controls, metric }) => [
    ...controls.map(({ name, score }) => [task, '', metric, name, score, '', '', '', '']),
    ...confounds.map((it) => [
      ...[task, it.classes?.join(' / ') ?? 'all', it.metric, it.control.name, it.control.score],
      ...[it.best.backbone, it.best.score, it.reached, Number(it.alarm)],
    ]),
  ]);
  return lines([header, ...rows]);
}

/** One row per task, backbone, shift and level; null where robustness was not measured. */
export function robustnessCsv({ tasks }: Comparison): string | null {
  const header = ['task', 'metric', 'backbone', 'cut', 'images', 'unchanged', 'shift', 'unit', 'level', 'score'];
  const rows = tasks.flatMap(({ task, metric, robustness }) =>
    robustness.flatMap((curve) =>
      curve.shifts.map((it) => [
        ...[task, metric, curve.backbone, curve.cut, curve.images, curve.unchanged, it.shift, it.unit, it.level],
        ...[blank(it.score), blank(it.rankCorrelation)],
      ]),
    ),
  );
  return rows.length === 0 ? null : lines([[...header, 'rank_correlation'], ...rows]);
}

/** One row per slide, backbone, shift and level; null where no slide was given. */
export function mapsCsv({ mapRobustness = [] }: Comparison): string | null {
  const rows = mapRobustness.flatMap((map) =>
    map.shifts.map((it) => [
      ...[map.slide, map.backbone, map.cut, map.tiles, it.shift, it.unit, it.level, blank(it.rankCorrelation)],
    ]),
  );
  const header = ['slide', 'backbone', 'cut', 'tiles', 'shift', 'unit', 'level', 'rank_correlation'];
  return rows.length === 0 ? null : lines([header, ...rows]);
}

/** One row per cut before and after fine-tuning; null where nothing was fine-tuned from anything here. */
export function fineTunedCsv({ fineTuned = [] }: Comparison): string | null {
  const rows = fineTuned.flatMap(({ before, after, cuts }) =>
    cuts.map((it) => [before, after, it.cut, blank(it.biased), blank(it.unbiased), blank(it.rbf)]),
  );
  const header = ['before', 'after', 'cut', 'linear_cka_biased', 'linear_cka_unbiased', 'rbf_cka_unbiased'];
  return rows.length === 0 ? null : lines([header, ...rows]);
}

export function ckaCsv({ cka }: Comparison): string | null {
  if (cka === null) return null;
  const { rbf } = cka;
  const kinds = [cka.biased, cka.unbiased, ...(rbf === undefined ? [] : [rbf.biased, rbf.unbiased])];
  const rows = cka.layers.flatMap((a, i) =>
    cka.layers.map((b, j) => [a, b, ...kinds.map((matrix) => blank(matrix[i]?.[j] ?? null))]),
  );
  const gaussian = rbf === undefined ? [] : ['rbf_cka_biased', 'rbf_cka_unbiased'];
  return lines([['layer_a', 'layer_b', 'linear_cka_biased', 'linear_cka_unbiased', ...gaussian], ...rows]);
}

function blank(value: number | null): number | string {
  return value === null || Number.isNaN(value) ? '' : value;
}

function lines(rows: readonly (readonly (string | number)[])[]): string {
  return rows.map((row) => `${csvLine(row)}\r\n`).join('');
}
