import { InvalidArgumentError } from 'commander';

/** `name@cut+cut`: a folder's name may hold an @ too, a cut never holds a slash or a dot's suffix. */
export function splitCut(text: string): { readonly name: string; readonly cuts: string | null } {
  const match = /^(.*)@([^@/\\]*)$/.exec(text);
  if (match === null || /\.onnx$/i.test(text)) return { name: text, cuts: null };
  return { name: match[1] ?? text, cuts: match[2] ?? null };
}

/** Names separated by commas. */
export function nameList(text: string): readonly string[] {
  const parts = text.split(',').map((part) => part.trim());
  if (parts.some((part) => part === '')) throw new InvalidArgumentError('It has an empty part between commas.');
  return parts;
}
