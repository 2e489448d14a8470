import type { TruncationRow, TruncationStudy } from '../../../src-shared/model/truncation.ts';
import { sampleColours } from './svg-colours.ts';
import { shareTicks, svgDot, svgFigure, svgLine, svgPolyline, svgText, textWidth } from './svg-parts.ts';

const [LEFT, TOP, PLOT_WIDTH, PLOT_HEIGHT, FOOT] = [56, 40, 460, 332, 48];
/** Slides are drawn through; patch tasks are told apart by their dashes. */
const DASHES = ['none', '6 4', '2 3', '9 3 2 3', '4 2'] as const;
const LEGEND_LINE = 16;

/** Score against parameters (log scale): a colour for each backbone, slides as solid lines, each patch task dashed. */
export function truncationSvg({ rows, tasks, slideFigure, notes }: TruncationStudy): string {
  const names = [...new Set(rows.map(({ backbone }) => backbone))];
  const series = [`slides (${slideFigure})`, ...tasks.map(({ task, metric }) => `${task} (${metric})`)];
  const values = rows.flatMap((row) => series.flatMap((_, s) => scoreOf(row, s) ?? []));
  const low = Math.max(0, Math.floor(10 * Math.min(0.5, ...values)) / 10);
  const logs = rows.map(({ parameters }) => Math.log10(Math.max(1, parameters)));
  const [least, most] = [Math.min(...logs) - 0.1, Math.max(...logs) + 0.1];
  const x = (parameters: number) =>
    LEFT + (PLOT_WIDTH * (Math.log10(Math.max(1, parameters)) - least)) / Math.max(0.2, most - least);
  const y = (score: number) => TOP + PLOT_HEIGHT * (1 - (score - low) / (1 - low));
  const title = 'Truncation: score of every cut against its parameters';
  const parts = [svgText(8, 20, title, { size: 13 })];
  for (const score of shareTicks(low)) {
    parts.push(svgLine([LEFT, y(score)], [LEFT + PLOT_WIDTH, y(score)], '#ddd'));
    parts.push(svgText(LEFT - 6, y(score) + 4, (100 * score).toFixed(0), { anchor: 'end' }));
  }
  for (let power = Math.ceil(least); power <= most; power++) {
    const at = x(10 ** power);
    parts.push(svgText(at, TOP + PLOT_HEIGHT + 16, (10 ** power).toLocaleString('en'), { anchor: 'middle' }));
  }
  parts.push(svgText(LEFT + PLOT_WIDTH / 2, TOP + PLOT_HEIGHT + 34, 'parameters up to the cut', { anchor: 'middle' }));
  const colours = sampleColours(names.length);
  const right = LEFT + PLOT_WIDTH + 20;
  const legend: string[] = [];
  names.forEach((name, n) => {
    const own = rows.filter(({ backbone }) => backbone === name).sort((a, b) => a.parameters - b.parameters);
    series.forEach((of, s) => {
      const style = { colour: colours[n] ?? '#000', dash: DASHES[s % DASHES.length] ?? 'none' };
      parts.push(...curve(own, s, `${name}, ${of}`, style, x, y));
      const at = TOP + LEGEND_LINE * legend.length;
      const text = `${name}: ${of}`;
      parts.push(svgLine([right, at], [right + 24, at], style.colour, { width: 2, dash: style.dash }));
      parts.push(svgText(right + 30, at + 4, text));
      legend.push(text);
    });
  });
  const width = right + 44 + Math.max(...legend.map((text) => textWidth(text)), 60);
  const height = Math.max(TOP + PLOT_HEIGHT + FOOT, TOP + LEGEND_LINE * legend.length + 20);
  return svgFigure(width, height, title, parts, notes);
}

/** @param s 0 = slides, else a patch task. */
function scoreOf(row: TruncationRow, s: number): number | null {
  return (s === 0 ? row.slides : row.patches[s - 1])?.value ?? null;
}

function curve(
  rows: readonly TruncationRow[],
  s: number,
  name: string,
  { colour, dash }: { readonly colour: string; readonly dash: string },
  x: (parameters: number) => number,
  y: (score: number) => number,
): readonly string[] {
  const points = rows.flatMap((row) => {
    const score = scoreOf(row, s);
    return score === null ? [] : [{ row, score, place: [x(row.parameters), y(score)] as const }];
  });
  const line = svgPolyline(
    points.map(({ place }) => place),
    colour,
    dash,
  );
  const dots = points.map(({ row, score, place: [cx, cy] }) => {
    return svgDot(cx, cy, colour, `${name.replace(',', `@${row.cut},`)}: ${(100 * score).toFixed(1)}`);
  });
  return [line, ...dots];
}
