import bidiFactory from 'bidi-js';

/** One printed line: pieces in visual order from left to right, each of one direction and in logical order inside. */
export interface BidiLine {
  readonly pieces: readonly string[];
  readonly rightToLeft: boolean;
}

const bidi = bidiFactory();
const RTL = /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;

/** True where a text holds letters written from right to left. */
export function hasRightToLeft(text: string): boolean {
  return RTL.test(text);
}

/**
 * Breaks a paragraph into lines and puts each into the order in which it is drawn (Unicode Bidirectional Algorithm,
 * UAX 9, by bidi-js). Pieces end at spaces and brackets, so that a layout engine which turns right-to-left words
 * around by itself, but places words from left to right, prints them correctly.
 * @param paragraph text without line breaks.
 * @param width of a text in the units of `maxWidth`.
 */
export function bidiLines(paragraph: string, width: (text: string) => number, maxWidth: number): readonly BidiLine[] {
  const embedding = bidi.getEmbeddingLevels(paragraph);
  const rightToLeft = (embedding.paragraphs[0]?.level ?? 0) % 2 === 1;
  return breakLines(paragraph, width, maxWidth).map(([start, end]) => {
    // The library answers for the whole paragraph with only this line put in order.
    const order = bidi.getReorderedIndices(paragraph, embedding, start, end - 1).slice(start, end);
    return { pieces: piecesOf(paragraph, embedding.levels, order), rightToLeft };
  });
}

/** Greedy lines as [start, end) without their trailing spaces; a word wider than a line stands alone. */
function breakLines(
  text: string,
  width: (text: string) => number,
  maxWidth: number,
): readonly (readonly [number, number])[] {
  const lines: [number, number][] = [];
  let start = -1;
  let end = -1;
  for (const word of text.matchAll(/\S+/g)) {
    const wordEnd = word.index + word[0].length;
    if (start >= 0 && width(text.slice(start, wordEnd)) > maxWidth) {
      lines.push([start, end]);
      start = -1;
    }
    if (start < 0) start = word.index;
    end = wordEnd;
  }
  if (start >= 0) lines.push([start, end]);
  return lines;
}

/** Groups characters in visual order into pieces; a right-to-left piece is put back into logical order. */
function piecesOf(text: string, levels: Uint8Array, order: readonly number[]): readonly string[] {
  const pieces: string[] = [];
  let group: number[] = [];
  const flush = () => {
    if (group.length > 0) pieces.push(pieceText(text, levels, group));
    group = [];
  };
  for (const index of order) {
    const last = group.at(-1);
    const step = (levels[index] ?? 0) % 2 === 1 ? -1 : 1;
    const joins = last !== undefined && index - last === step && levels[index] === levels[last];
    const alone = isSpace(text, index) || mirrored(text, levels, index) !== null;
    if (!joins || alone || (last !== undefined && (isSpace(text, last) || mirrored(text, levels, last) !== null))) {
      flush();
    }
    group.push(index);
  }
  flush();
  return pieces;
}

function pieceText(text: string, levels: Uint8Array, group: readonly number[]): string {
  const [first = 0] = group;
  const visual = group.map((index) => mirrored(text, levels, index) ?? text.charAt(index));
  const logical = [...group].sort((a, b) => a - b).map((index) => text.charAt(index));
  const turnedByEngine = (levels[first] ?? 0) % 2 === 1 && hasRightToLeft(logical.join(''));
  return (turnedByEngine ? logical : visual).join('');
}

function isSpace(text: string, index: number): boolean {
  return /\s/.test(text.charAt(index));
}

function mirrored(text: string, levels: Uint8Array, index: number): string | null {
  return (levels[index] ?? 0) % 2 === 1 ? bidi.getMirroredCharacter(text.charAt(index)) : null;
}
