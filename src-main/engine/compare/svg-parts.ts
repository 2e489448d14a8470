const FONT = 'font-family="Inter, Helvetica, Arial, sans-serif"';
const NOTE_SIZE = 10;
const NOTE_LINE = 14;
/** Mean width of a letter as part of the size of the type. */
const LETTER = 0.52;

/** A figure as one self-contained SVG, white behind it, with its notes (formula, seeds, folds, provenance) under it. */
export function svgFigure(
  width: number,
  height: number,
  title: string,
  parts: readonly string[],
  notes: readonly string[],
): string {
  const letters = Math.max(20, Math.floor((width - 16) / (NOTE_SIZE * LETTER)));
  const lines = notes.flatMap((note) => wrapped(note, letters));
  const whole = height + (lines.length === 0 ? 0 : 10 + NOTE_LINE * lines.length);
  const written = lines.map((text, i) => {
    return svgText(8, height + 10 + NOTE_LINE * i, text, { size: NOTE_SIZE, fill: '#444' });
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${round(width)}" height="${round(whole)}" viewBox="0 0 ${round(width)} ${round(whole)}" ${FONT} role="img">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    ...parts,
    ...written,
    '</svg>\n',
  ].join('\n');
}

export interface TextStyle {
  readonly size?: number;
  readonly anchor?: 'start' | 'middle' | 'end';
  readonly fill?: string;
  /** Degrees about its place. */
  readonly turn?: number;
}

export function svgText(x: number, y: number, text: string, style: TextStyle = {}): string {
  const { size = 11, anchor = 'start', fill = '#000', turn } = style;
  const place =
    turn === undefined
      ? `x="${round(x)}" y="${round(y)}"`
      : `transform="translate(${round(x)} ${round(y)}) rotate(${turn})"`;
  return `<text ${place} text-anchor="${anchor}" font-size="${size}" fill="${fill}">${escaped(text)}</text>`;
}

export function svgPolyline(points: readonly (readonly [number, number])[], colour: string, dash = 'none'): string {
  const path = points.map(([x, y]) => `${round(x)},${round(y)}`).join(' ');
  return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2" stroke-dasharray="${dash}"/>`;
}

export function svgLine(
  [x1, y1]: readonly [number, number],
  [x2, y2]: readonly [number, number],
  colour: string,
  { dash = 'none', width = 1 }: { readonly dash?: string; readonly width?: number } = {},
): string {
  const ends = `x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}"`;
  return `<line ${ends} stroke="${colour}" stroke-width="${width}" stroke-dasharray="${dash}"/>`;
}

/** A dot that says what it is when pointed at. */
export function svgDot(x: number, y: number, colour: string, title: string): string {
  return `<circle cx="${round(x)}" cy="${round(y)}" r="4" fill="${colour}"><title>${escaped(title)}</title></circle>`;
}

/** About how wide a text is, in pixels. */
export function textWidth(text: string, size = 11): number {
  return text.length * size * (LETTER + 0.04);
}

/** Round shares from a low end up to 1 for an axis, ten points apart, or twenty where the range is long. */
export function shareTicks(low: number): readonly number[] {
  const step = low < 0.45 ? 0.2 : 0.1;
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.round(1 / step) - first + 1 }, (_, i) => (first + i) * step);
}

export function round(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

function wrapped(text: string, letters: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > letters) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return line === '' ? lines : [...lines, line];
}
