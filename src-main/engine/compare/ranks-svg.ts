import type { Comparison } from '../../../src-shared/model/comparison.ts';
import { svgFigure, svgLine, svgText, textWidth } from './svg-parts.ts';

/** Methods that a test of ranks cannot tell apart, as places in the order of rising rank, ends included. */
export function rankCliques(sortedRanks: readonly number[], criticalDifference: number): readonly [number, number][] {
  const cliques: [number, number][] = [];
  let reached = -1;
  sortedRanks.forEach((rank, first) => {
    let last = first;
    while (last + 1 < sortedRanks.length && (sortedRanks[last + 1] ?? 0) - rank < criticalDifference) last++;
    if (last > first && last > reached) {
      cliques.push([first, last]);
      reached = last;
    }
  });
  return cliques;
}

/**
 * Average ranks on an axis, 1 (best) on the left; a bar joins backbones whose ranks differ by less than the critical
 * difference. Source: Demsar 2006, section 3.2.2. Null without a critical difference: below five tasks and beyond ten
 * backbones there is none.
 */
export function ranksSvg({ ranks, backbones, tasks }: Comparison): string | null {
  if (ranks === null || ranks.criticalDifference === null) return null;
  const cd = ranks.criticalDifference;
  const methods = backbones
    .map(({ name }, i) => ({ name, rank: ranks.average[i] ?? Number.NaN }))
    .sort((a, b) => a.rank - b.rank);
  const names = 24 + Math.max(...methods.map(({ name, rank }) => textWidth(`${name} ${rank.toFixed(2)}`)));
  const span = 360;
  const width = 2 * names + span;
  const most = Math.max(2, methods.length);
  const x = (rank: number): number => names + (span * (rank - 1)) / (most - 1);
  const axis = 78;
  const title = `Average ranks over ${tasks.length} tasks, 1 = best`;
  const parts = [svgText(8, 20, title, { size: 13 })];
  const end = Math.min(x(1 + cd), width - 16);
  parts.push(svgLine([x(1), 46], [end, 46], '#000', { width: 2 }));
  parts.push(svgText((x(1) + end) / 2, 40, `critical difference ${cd.toFixed(2)}`, { anchor: 'middle' }));
  parts.push(svgLine([x(1), axis], [x(most), axis], '#000'));
  for (let rank = 1; rank <= most; rank++) {
    parts.push(svgLine([x(rank), axis - 5], [x(rank), axis], '#000'));
    parts.push(svgText(x(rank), axis - 9, String(rank), { anchor: 'middle' }));
  }
  const cliques = rankCliques(
    methods.map(({ rank }) => rank),
    cd,
  );
  const firstName = axis + 22 + 9 * cliques.length;
  cliques.forEach(([first, last], c) => {
    const y = axis + 10 + 9 * c;
    const [from, to] = [methods[first]?.rank ?? 1, methods[last]?.rank ?? 1];
    parts.push(svgLine([x(from) - 4, y], [x(to) + 4, y], '#0072b2', { width: 4 }));
  });
  const half = Math.ceil(methods.length / 2);
  methods.forEach(({ name, rank }, m) => {
    const isLeft = m < half;
    const y = firstName + 20 * (isLeft ? m : methods.length - 1 - m);
    const side = isLeft ? names - 8 : names + span + 8;
    parts.push(svgLine([x(rank), axis], [x(rank), y], '#555'), svgLine([x(rank), y], [side, y], '#555'));
    const label = isLeft ? `${name} ${rank.toFixed(2)}` : `${rank.toFixed(2)} ${name}`;
    parts.push(svgText(isLeft ? side - 4 : side + 4, y + 4, label, { anchor: isLeft ? 'end' : 'start' }));
  });
  const p = ranks.friedmanP < 0.001 ? '< 0.001' : `= ${ranks.friedmanP.toFixed(3)}`;
  return svgFigure(width, firstName + 20 * half + 4, title, parts, [
    `Backbones joined by a bar cannot be told apart at the 5 % level (Nemenyi); Friedman p ${p}. Demsar 2006.`,
    'Each backbone at the cut chosen inside the training parts.',
  ]);
}
