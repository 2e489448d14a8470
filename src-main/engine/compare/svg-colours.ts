/** Colours that stay apart for colour-blind readers. Source: Okabe and Ito 2008, without yellow, which fades on white. */
const OKABE_ITO = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00', '#000000'] as const;

/** As many line colours as asked for; they repeat after seven. */
export function sampleColours(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => OKABE_ITO[i % OKABE_ITO.length] ?? '#000000');
}
