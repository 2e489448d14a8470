/** One place for what the report looks like. Lengths in points, on A4. */
export const PAGE = { width: 595.28, height: 841.89, marginX: 48, marginTop: 58, marginBottom: 62 } as const;
export const CONTENT_WIDTH = PAGE.width - 2 * PAGE.marginX;

export const COLOUR = {
  ink: '#1b1b1f',
  quiet: '#5d6068',
  rule: '#c9ccd2',
  accent: '#5b2a6e',
  noticeGround: '#fbf3e3',
  noticeRule: '#b97f12',
} as const;

export const SIZE = { title: 19, section: 12.5, body: 9, small: 7.5, tiny: 6.5 } as const;
