import type { BackboneCard } from '../../../src-shared/model/backbone.ts';

/** Names of public sets that hold no digit; names like `lc25000` are told by mixing letters and digits. */
const SET_NAMES: ReadonlySet<string> = new Set([
  ...[
    'pcam',
    'patchcamelyon',
    'camelyon',
    'breakhis',
    'glas',
    'kather',
    'crag',
    'lizard',
    'pannuke',
    'monuseg',
    'mhist',
  ],
  ...['warwick', 'umcm', 'necrosis', 'glomeruli', 'bonemarrow', 'tcga', 'midog', 'bracs', 'sicap', 'panda'],
]);

/**
 * The set that both a task's name and a backbone's card name, or null: the backbone may then have been trained on the
 * very images it is judged on. Only names are compared; a card that is silent is not cleared by it.
 */
export function sharedSet(
  taskName: string,
  { name, method, source, origin }: Pick<BackboneCard, 'name' | 'method' | 'source' | 'origin'>,
): string | null {
  if (origin === 'random') return null;
  const known = setNames(`${name} ${method} ${source}`);
  return [...setNames(taskName)].find((word) => known.has(word)) ?? null;
}

/** The sentence that goes beside the task. */
export function contaminationNote(backbone: string, set: string): string {
  return `${backbone} names "${set}" on its card: it may have been trained on these images, and its score here be too high.`;
}

function setNames(text: string): ReadonlySet<string> {
  const words = text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return new Set(words.filter((word) => SET_NAMES.has(word) || (/^[a-z]+\d{2,}$/.test(word) && !/^\w+net/.test(word))));
}
