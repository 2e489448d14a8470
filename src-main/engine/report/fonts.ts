import { createRequire } from 'node:module';

/**
 * The fonts of every report and figure, from the npm package of the DejaVu project: Latin, Greek, Cyrillic, Hebrew and
 * Arabic, the same on every machine.
 */
const require = createRequire(import.meta.url);
const file = (name: string): string => require.resolve(`dejavu-fonts-ttf/ttf/${name}.ttf`);

export const BODY_FONT = 'Body';
export const MONO_FONT = 'Mono';

/** Paths of the four cuts of each family, in pdfmake's terms. */
export const REPORT_FONTS = {
  [BODY_FONT]: {
    normal: file('DejaVuSansCondensed'),
    bold: file('DejaVuSansCondensed-Bold'),
    italics: file('DejaVuSansCondensed-Oblique'),
    bolditalics: file('DejaVuSansCondensed-BoldOblique'),
  },
  [MONO_FONT]: {
    normal: file('DejaVuSansMono'),
    bold: file('DejaVuSansMono-Bold'),
    italics: file('DejaVuSansMono-Oblique'),
    bolditalics: file('DejaVuSansMono-BoldOblique'),
  },
} as const;

/** True for the font files above: the only local files a report may read. */
export function isReportFont(path: string): boolean {
  return Object.values(REPORT_FONTS).some((family) => Object.values(family).includes(path));
}
