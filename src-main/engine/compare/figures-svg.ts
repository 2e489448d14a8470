import type { CkaMatrix, TaskComparison } from '../../../src-shared/model/comparison.ts';
import { mean } from '../../../src-shared/numeric/statistics.ts';
import { sampleColours } from './svg-colours.ts';

const FONT = 'font-family="Inter, Helvetica, Arial, sans-serif"';

/** The unbiased CKA of all layers as a heat map with its values, self-contained SVG. */
export function ckaSvg({ layers, unbiased, images }: CkaMatrix): string {
  const cell = 34;
  const margin = 12 + 6.2 * Math.max(...layers.map(({ length }) => length));
  const side = margin + layers.length * cell + 16;
  const cells = unbiased.flatMap((row, i) =>
    row.map((value, j) => {
      const [fill, ink] = heatColours(value);
      const x = margin + j * cell;
      const y = margin + i * cell;
      const text = Number.isFinite(value) ? value.toFixed(2) : '';
      return (
        `<rect x="${x}" y="${y}" width="${cell}" height="${cell}" fill="${fill}"/>` +
        `<text x="${x + cell / 2}" y="${y + cell / 2 + 4}" text-anchor="middle" font-size="11" fill="${ink}">${text}</text>`
      );
    }),
  );
  const labels = layers.map((name, i) => {
    const at = margin + i * cell + cell / 2;
    return (
      `<text x="${margin - 6}" y="${at + 4}" text-anchor="end" font-size="11">${escaped(name)}</text>` +
      `<text transform="translate(${at + 4} ${margin - 6}) rotate(-90)" font-size="11">${escaped(name)}</text>`
    );
  });
  const caption = `Linear CKA, unbiased, on ${images} images`;
  return svg(side, side + 24, caption, [
    ...cells,
    ...labels,
    `<text x="8" y="${side + 14}" font-size="12">${caption}</text>`,
  ]);
}

/** Score of every cut against its share of the network's cost, random twins dashed, chance and controls as lines. */
export function layersSvg(task: TaskComparison): string {
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
      line(left, y(score), left + plotWidth, y(score), '#ddd'),
      `<text x="${left - 8}" y="${y(score) + 4}" text-anchor="end" font-size="11">${(100 * score).toFixed(0)}</text>`,
    );
  }
  const marks = [{ name: 'chance', score: task.chance }, ...task.controls.slice(0, 2)];
  for (const { name, score } of marks) {
    parts.push(
      line(left, y(score), left + plotWidth, y(score), '#888', '2 3'),
      `<text x="${left + 4}" y="${y(score) - 3}" font-size="10" fill="#555">${escaped(name)} ${(100 * score).toFixed(1)}</text>`,
    );
  }
  task.backbones.forEach((backbone, b) => {
    const colour = colours[b] ?? '#000';
    const most = Math.max(...backbone.cuts.map(({ flops }) => flops), 1);
    const x = (flops: number): number => left + (plotWidth * flops) / most;
    const points = backbone.cuts.map((cut) => [x(cut.flops), y(cut.score)] as const);
    parts.push(polyline(points, colour, ''));
    points.forEach(([px, py], i) => {
      const cut = backbone.cuts[i];
      const title = `${backbone.backbone}@${cut?.cut ?? ''}: ${(100 * (cut?.score ?? 0)).toFixed(1)}`;
      parts.push(
        `<circle cx="${r(px)}" cy="${r(py)}" r="4" fill="${colour}"><title>${escaped(title)}</title></circle>`,
      );
    });
    const twins = backbone.cuts.filter(({ random }) => random.length > 0);
    parts.push(
      polyline(
        twins.map((cut) => [x(cut.flops), y(mean(cut.random))] as const),
        colour,
        '5 4',
      ),
    );
    const at = top + 16 * b;
    parts.push(
      line(width - right + 14, at, width - right + 34, at, colour),
      `<text x="${width - right + 40}" y="${at + 4}" font-size="11">${escaped(backbone.backbone)}</text>`,
    );
  });
  for (const share of [0, 0.5, 1]) {
    const at = `x="${r(left + share * plotWidth)}" y="${height - bottom + 16}" text-anchor="middle" font-size="11"`;
    parts.push(`<text ${at}>${100 * share}</text>`);
  }
  const axis = `% of the operations up to the deepest cut (solid: trained, dashed: mean of random twins)`;
  const title = `${task.task}: ${task.metric} of the probe, %`;
  parts.push(
    `<text x="${left}" y="22" font-size="13">${escaped(title)}</text>`,
    `<text x="${left}" y="${height - 10}" font-size="11">${axis}</text>`,
  );
  return svg(width, height, title, parts);
}

function svg(width: number, height: number, title: string, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${r(width)}" height="${r(height)}" viewBox="0 0 ${r(width)} ${r(height)}" ${FONT} role="img">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

/** White to dark blue; writing stays readable on it. */
function heatColours(value: number): readonly [string, string] {
  if (!Number.isFinite(value)) return ['#eee', '#000'];
  const t = Math.min(1, Math.max(0, value));
  const mix = (from: number, to: number): number => Math.round(from + (to - from) * t);
  return [`rgb(${mix(255, 8)},${mix(255, 48)},${mix(255, 107)})`, t > 0.55 ? '#fff' : '#000'];
}

function polyline(points: readonly (readonly [number, number])[], colour: string, dash: string): string {
  const path = points.map(([x, y]) => `${r(x)},${r(y)}`).join(' ');
  return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2" stroke-dasharray="${dash || 'none'}"/>`;
}

function line(x1: number, y1: number, x2: number, y2: number, colour: string, dash = 'none'): string {
  return `<line x1="${r(x1)}" y1="${r(y1)}" x2="${r(x2)}" y2="${r(y2)}" stroke="${colour}" stroke-dasharray="${dash}"/>`;
}

function r(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
