import type { Comparison, ShiftedScore, TaskComparison } from '../../../src-shared/model/comparison.ts';
import { mean } from '../../../src-shared/numeric/statistics.ts';
import { figureNotes } from './figure-notes.ts';
import { type ShiftCurve, shiftsSvg } from './robustness-svg.ts';
import { sampleColours } from './svg-colours.ts';
import { svgDot, svgFigure, svgLine, svgPolyline, svgText } from './svg-parts.ts';

/** Score of every cut against its share of the network's cost, random twins dashed, chance and controls as lines. */
export function layersSvg(comparison: Comparison, task: TaskComparison): string {
  const [width, height, left, top, right, bottom] = [760, 420, 56, 40, 240, 48];
  const scores = task.backbones.flatMap(({ cuts }) => cuts.flatMap(({ score, random }) => [score, ...random]));
  const low = Math.max(0, Math.floor(10 * Math.min(task.chance, ...scores)) / 10);
  const plotWidth = width - left - right;
  const y = (score: number): number => top + (height - top - bottom) * (1 - (score - low) / (1 - low));
  const colours = sampleColours(task.backbones.length);
  const parts: string[] = [];
  for (let tick = 0; tick <= 5; tick++) {
    const score = low + ((1 - low) * tick) / 5;
    parts.push(
      svgLine([left, y(score)], [left + plotWidth, y(score)], '#ddd'),
      svgText(left - 8, y(score) + 4, (100 * score).toFixed(0), { anchor: 'end' }),
    );
  }
  const marks = [{ name: 'chance', score: task.chance }, ...task.controls.slice(0, 2)];
  for (const { name, score } of marks) {
    parts.push(
      svgLine([left, y(score)], [left + plotWidth, y(score)], '#888', { dash: '2 3' }),
      svgText(left + 4, y(score) - 3, `${name} ${(100 * score).toFixed(1)}`, { size: 10, fill: '#555' }),
    );
  }
  task.backbones.forEach((backbone, b) => {
    const colour = colours[b] ?? '#000';
    const most = Math.max(...backbone.cuts.map(({ flops }) => flops), 1);
    const x = (flops: number): number => left + (plotWidth * flops) / most;
    const points = backbone.cuts.map((cut) => [x(cut.flops), y(cut.score)] as const);
    parts.push(svgPolyline(points, colour));
    points.forEach(([px, py], i) => {
      const cut = backbone.cuts[i];
      const title = `${backbone.backbone}@${cut?.cut ?? ''}: ${(100 * (cut?.score ?? 0)).toFixed(1)}`;
      parts.push(svgDot(px, py, colour, title));
    });
    const twins = backbone.cuts.filter(({ random }) => random.length > 0);
    parts.push(
      svgPolyline(
        twins.map((cut) => [x(cut.flops), y(mean(cut.random))] as const),
        colour,
        '5 4',
      ),
    );
    const at = top + 16 * b;
    parts.push(
      svgLine([width - right + 14, at], [width - right + 34, at], colour, { width: 2 }),
      svgText(width - right + 40, at + 4, backbone.backbone),
    );
  });
  for (const share of [0, 0.5, 1]) {
    parts.push(svgText(left + share * plotWidth, height - bottom + 16, String(100 * share), { anchor: 'middle' }));
  }
  const axis = `% of the operations up to the deepest cut (solid: trained, dashed: mean of random twins)`;
  const title = `${task.task}: ${task.metric} of the probe, %`;
  parts.push(svgText(left, 22, title, { size: 13 }), svgText(left, height - 10, axis));
  return svgFigure(width, height, title, parts, figureNotes(comparison, task));
}

/** The probe under shifts, and how far its decisions move; null where robustness was not measured. */
export function robustnessFigures(
  comparison: Comparison,
  task: TaskComparison,
): { readonly score: string; readonly moves: string } | null {
  const { robustness, metric, chance } = task;
  const [first] = robustness;
  if (first === undefined) return null;
  const of = (pick: (it: ShiftedScore) => number | null, unchanged: (score: number) => number) =>
    robustness.map(
      (curve): ShiftCurve => ({
        name: `${curve.backbone}@${curve.cut}`,
        unchanged: unchanged(curve.unchanged),
        shifts: curve.shifts.map((it) => ({ shift: it.shift, level: it.level, value: pick(it) })),
      }),
    );
  const notes = [
    `The probe is fitted on unchanged training images and judged on ${first.images} changed test images of the first part, the same for all.`,
    ...figureNotes(comparison, task),
  ];
  return {
    score: shiftsSvg({
      ...{ title: `${task.task}: ${metric} of the probe under shifts, %`, lowest: chance, notes },
      curves: of(
        ({ score }) => (Number.isFinite(score) ? score : null),
        (score) => score,
      ),
    }),
    moves: shiftsSvg({
      title: `${task.task}: rank correlation of decisions with those of the unchanged images, x 100`,
      ...{ lowest: 0.5, notes },
      curves: of(
        ({ rankCorrelation }) => rankCorrelation,
        () => 1,
      ),
    }),
  };
}

/** How far the maps of a slide move, one figure per slide. */
export function mapFigures({ mapRobustness = [] }: Comparison): readonly (readonly [string, string])[] {
  return [...new Set(mapRobustness.map(({ slide }) => slide))].flatMap((slide) => {
    const own = mapRobustness.filter((it) => it.slide === slide);
    const [first] = own;
    if (first === undefined) return [];
    const curves = own.map(
      (it): ShiftCurve => ({
        name: `${it.backbone}@${it.cut}`,
        unchanged: 1,
        shifts: it.shifts.map(({ shift, level, rankCorrelation }) => ({ shift, level, value: rankCorrelation })),
      }),
    );
    const title = `${slide}: rank correlation of maps with those of the unchanged tiles, x 100`;
    return [[slide, shiftsSvg({ title, lowest: 0.5, curves, notes: [first.formula] })] as const];
  });
}
