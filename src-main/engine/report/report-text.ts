import pdfmake from 'pdfmake';
import type { Content, Style } from 'pdfmake/interfaces.js';
import { bidiLines, hasRightToLeft } from './bidi-lines.ts';
import { BODY_FONT, REPORT_FONTS } from './fonts.ts';
import { COLOUR, SIZE } from './report-style.ts';

/** Width in points of a text in the body font. */
export type TextMeasure = (text: string, fontSize: number, bold: boolean) => number;

/** A measure by the very fonts the report is set in. */
export async function bodyTextMeasure(): Promise<TextMeasure> {
  const document = await pdfmake.createPdf({ content: '', defaultStyle: { font: BODY_FONT } }).getStream();
  const { normal, bold: boldFile } = REPORT_FONTS[BODY_FONT];
  return (text, fontSize, bold) =>
    document
      .font(bold ? boldFile : normal)
      .fontSize(fontSize)
      .widthOfString(text);
}

export interface UserTextStyle extends Style {
  readonly fontSize: number;
  readonly bold?: boolean;
}

/**
 * Text a user wrote, in any script the fonts hold: control characters dropped, line breaks kept, right-to-left
 * paragraphs drawn in their own order and set flush right.
 */
export function userText(text: string, style: UserTextStyle, widthPt: number, measure: TextMeasure): Content {
  const notes: Content[] = hasUnprintable(text)
    ? [{ text: UNPRINTABLE_NOTE, fontSize: Math.min(SIZE.small, style.fontSize), color: COLOUR.quiet }]
    : [];
  const width = (part: string) => measure(part, style.fontSize, style.bold === true);
  const paragraphs = printable(text).split('\n');
  const lines = paragraphs.flatMap((paragraph): Content[] => {
    if (!hasRightToLeft(paragraph)) return [{ text: paragraph === '' ? ' ' : paragraph, ...style }];
    return bidiLines(paragraph, width, widthPt).map(({ pieces, rightToLeft }) => ({
      text: pieces.map((piece) => ({ text: piece, noWrap: true })),
      ...style,
      alignment: rightToLeft ? 'right' : (style.alignment ?? 'left'),
    }));
  });
  return { stack: [...lines, ...notes] };
}

const UNPRINTABLE_NOTE = 'Characters shown as empty boxes are not in the font of this report.';

const SCRIPTS = ['Latin', 'Greek', 'Cyrillic', 'Hebrew', 'Arabic', 'Armenian', 'Georgian', 'Common', 'Inherited'];
const OTHER_SCRIPT = new RegExp(`[^${SCRIPTS.map((name) => `\\p{Script=${name}}`).join('')}]`, 'u');

/** True for writing the report's fonts do not hold (Chinese, Japanese, Devanagari, …) and for emoji. */
export function hasUnprintable(text: string): boolean {
  return OTHER_SCRIPT.test(text) || /\p{Emoji_Presentation}/u.test(text);
}

/** Without control, direction and other invisible format characters; any line break as `\n`; tabs as spaces. */
export function printable(text: string): string {
  return text
    .replaceAll(/\r\n?|\u2028|\u2029/g, '\n')
    .replaceAll('\t', ' ')
    .replaceAll(/[^\P{C}\n\u200c\u200d]/gu, '')
    .trim();
}
