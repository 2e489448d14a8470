import type {
  BackboneScore,
  Comparison,
  ConfoundAlarm,
  CutScore,
  ScoredInterval,
  TaskComparison,
} from '../../../src-shared/model/comparison.ts';
import { mean } from '../../../src-shared/numeric/statistics.ts';

/** A comparison as Markdown: what was done, one table per task, alarms beside it, sentences under it, ranks. */
export function comparisonMarkdown(comparison: Comparison): string {
  const blocks = [
    '# Comparison of backbones',
    comparison.formulas.map((line) => `- ${line}`).join('\n'),
    backboneTable(comparison),
    claimsBlock(comparison),
    overview(comparison),
    ...comparison.tasks.map(taskBlock),
    skippedBlock(comparison),
  ];
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

/** One row per backbone with the cut chosen in training: the table of the whole comparison. */
export function overview({ tasks, backbones, ranks }: Comparison): string {
  const header = ['backbone', 'trained on', ...tasks.map(({ task, metric }) => `${task} (${metric})`)];
  const rows = backbones.map(({ name, origin }, i) => {
    const scores = tasks.map((task) => {
      const row = task.backbones[i];
      return row === undefined ? '' : withRange(row.chosen);
    });
    return [name, origin, ...scores, ...(ranks === null ? [] : [(ranks.average[i] ?? Number.NaN).toFixed(2)])];
  });
  const twins = backbones.flatMap(({ name }, i) => {
    const scores = tasks.map((task) => task.backbones[i]?.random ?? []);
    if (scores.every(({ length }) => length === 0)) return [];
    const cells = scores.map((of) => (of.length === 0 ? '' : percent(mean(of))));
    return [[`random twins of ${name}`, 'nothing', ...cells, ...(ranks === null ? [] : [''])]];
  });
  const names = tasks[0]?.controls.map(({ name }) => name).filter((name) => isPlainControl(name)) ?? [];
  const controls = names.map((name) => {
    const cells = tasks.map((task) => percent(task.controls.find((it) => it.name === name)?.score ?? Number.NaN));
    return [`control: ${name}`, '', ...cells, ...(ranks === null ? [] : [''])];
  });
  const chance = ['chance', '', ...tasks.map((task) => percent(task.chance)), ...(ranks === null ? [] : [''])];
  const alarms = tasks.map(({ confounds }) => (confounds[0]?.alarm === true ? '**cannot rank**' : 'can rank'));
  const verdict = ['verdict of the controls', '', ...alarms, ...(ranks === null ? [] : [''])];
  const title = '## All tasks, each backbone at the cut chosen inside the training part (%)';
  const body = markdownTable(
    [...header, ...(ranks === null ? [] : ['mean rank'])],
    [...rows, ...twins, ...controls, chance, verdict],
  );
  return [title, body, rankSentence(ranks, tasks.length)].filter((text) => text !== '').join('\n\n');
}

function rankSentence(ranks: Comparison['ranks'], tasks: number): string {
  if (ranks === null) return '';
  const p = ranks.friedmanP < 0.001 ? '< 0.001' : `= ${ranks.friedmanP.toFixed(3)}`;
  const difference =
    ranks.criticalDifference === null
      ? `With ${tasks} tasks no critical difference is given (five are needed).`
      : `Mean ranks must differ by ${ranks.criticalDifference.toFixed(2)} to differ at the 5 % level (Nemenyi).`;
  return `Average ranks over ${tasks} tasks, 1 = best; Friedman p ${p}. ${difference}`;
}

function backboneTable({ backbones }: Comparison): string {
  const rows = backbones.map(({ name, architecture, origin, method, sha256, assumed }) => {
    return [name, architecture, origin, method, `\`${sha256.slice(0, 12)}\``, assumed.join('; ')];
  });
  return `## Backbones\n\n${markdownTable(['name', 'architecture', 'trained on', 'method', 'SHA-256', 'assumed'], rows)}`;
}

function taskBlock(task: TaskComparison): string {
  const groups = task.groups === null ? 'no groups known' : `${task.groups} groups`;
  const lines = [
    `## ${task.task}`,
    `${task.classes.join(' / ')}: ${task.images} images, ${groups}; ${task.split}. ${task.metric}, chance ${percent(task.chance)} %.`,
    task.notes.map((note) => `- ${note}`).join('\n'),
    alarmLines(task),
    cutTable(task),
    robustnessTable(task),
    task.pairs
      .map(({ sentence, test, pValue, effect, effectName }) => {
        const figure = `${test}, p ${pValue < 0.001 ? '< 0.001' : `= ${pValue.toFixed(3)}`}, ${effectName} ${effect.toFixed(2)}`;
        return `- ${sentence} (${figure} before correction)`;
      })
      .join('\n'),
  ];
  return lines.filter((line) => line !== '').join('\n\n');
}

function alarmLines({ confounds, classes, chance }: TaskComparison): string {
  const [whole, ...pairs] = confounds;
  if (whole === undefined) return '';
  const sounding = pairs.filter(({ alarm }) => alarm);
  const ofPairs =
    classes.length < 3
      ? ''
      : ` Of its ${pairs.length} pairs of classes, controls already tell ${sounding.length} apart nearly as well as the best backbone: ${pairList(
          sounding,
        )}.`;
  return alarmSentence(whole, chance) + ofPairs;
}

/** What the strongest control means for a task, in one sentence. */
export function alarmSentence({ alarm, control, best, metric, reached }: ConfoundAlarm, chance: number): string {
  if (best.score <= chance) {
    return `**No backbone does better than chance here: this task cannot rank backbones.** The best, ${best.backbone}, reaches ${percent(best.score)} ${metric}.`;
  }
  const figures = `${control.name} reaches ${percent(control.score)} ${metric} against ${percent(best.score)} of ${best.backbone}`;
  return alarm
    ? `**Confounded: this task cannot rank backbones.** ${figures} (${percent(reached)} % of its gain over chance).`
    : `Controls leave room: ${figures} (${percent(reached)} % of its gain over chance).`;
}

const PAIRS_SHOWN = 6;

/** The first few; the tables hold them all. */
function pairList(pairs: readonly ConfoundAlarm[]): string {
  const shown = pairs.slice(0, PAIRS_SHOWN).map(pairText).join('; ');
  const more = pairs.length > PAIRS_SHOWN ? ` and ${pairs.length - PAIRS_SHOWN} more` : '';
  return pairs.length === 0 ? 'none' : shown + more;
}

function pairText({ classes, control, best }: ConfoundAlarm): string {
  return `${classes?.join(' / ')} (${control.name} ${percent(control.score)}, best ${percent(best.score)})`;
}

function cutTable({ backbones }: TaskComparison): string {
  const header = ['backbone', 'cut', 'score %', 'random twins %', 'gain', 'parameters', 'MFLOPs', 'ms/image', ''];
  const rows = backbones.flatMap((backbone) => backbone.cuts.map((cut) => cutRow(backbone, cut)));
  return markdownTable(header, rows);
}

function cutRow(backbone: BackboneScore, cut: CutScore): string[] {
  const several = backbone.cuts.length > 1;
  const marks = [
    several && cut.cut === backbone.sweetSpot ? 'sweet spot' : '',
    several && backbone.pareto.parameters.includes(cut.cut) ? 'Pareto' : '',
    cut.noBetterThanRandom === true ? '**no better than random weights**' : '',
    cut.notConverged > 0 ? `${cut.notConverged} fits stopped early` : '',
  ];
  return [
    backbone.backbone,
    cut.cut,
    withRange(cut),
    cut.random.length === 0 ? '' : percent(mean(cut.random)),
    cut.gain === null ? '' : signed(cut.gain),
    cut.parameters.toLocaleString('en'),
    (cut.flops / 1e6).toFixed(0),
    cut.msPerImage.toFixed(1),
    marks.filter((mark) => mark !== '').join(', '),
  ];
}

/** Score under each shift, and in brackets the rank correlation of decisions with those of the unchanged images. */
function robustnessTable({ robustness, metric }: TaskComparison): string {
  const [first] = robustness;
  if (first === undefined) return '';
  const header = ['backbone', 'cut', 'unchanged', ...first.shifts.map(({ shift, level }) => `${shift} ${level}`)];
  const rows = robustness.map(({ backbone, cut, unchanged, shifts }) => {
    const cells = shifts.map((it) => `${percent(it.score)} (${it.rankCorrelation?.toFixed(2) ?? 'n/a'})`);
    return [backbone, cut, percent(unchanged), ...cells];
  });
  const title = `${metric} in % on ${first.images} changed test images (rank correlation of decisions with the unchanged ones)`;
  return `${title}:\n\n${markdownTable(header, rows)}`;
}

function claimsBlock({ claims = [] }: Comparison): string {
  return claims.length === 0 ? '' : `## What may be claimed\n\n${claims.map((line) => `- ${line}`).join('\n')}`;
}

function skippedBlock({ skipped }: Comparison): string {
  if (skipped.length === 0) return '';
  return `## Left out\n\n${skipped.map(({ name, reason }) => `- ${name}: ${reason}`).join('\n')}`;
}

function isPlainControl(name: string): boolean {
  return name === 'mean colour' || name === 'file statistics';
}

function withRange({ score, low, high }: ScoredInterval): string {
  return low === null || high === null ? percent(score) : `${percent(score)} (${percent(low)} to ${percent(high)})`;
}

function percent(value: number): string {
  return Number.isFinite(value) ? (100 * value).toFixed(1) : 'n/a';
}

function signed(value: number): string {
  return `${value > 0 ? '+' : ''}${percent(value)}`.replace('-', '\u2212');
}

/** Cells may hold anything a file name holds. */
export function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}
