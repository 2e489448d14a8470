import type { ChosenKind, FileKind } from './shell.ts';

/** File name extensions by what Hyaline does with the file, without the dot, lower case. */
export const FILE_EXTENSIONS: Readonly<Record<FileKind, readonly string[]>> = {
  slide: ['svs', 'tif', 'tiff', 'ndpi', 'mrxs', 'scn', 'bif', 'vms', 'vmu', 'svslide', 'dcm'],
  model: ['onnx', 'safetensors', 'pth', 'pt', 'ckpt', 'tar'],
  project: ['hyaline'],
};

/** What Hyaline would do with a file of this name; null for a name it does not know. */
export function fileKindOf(fileName: string): FileKind | null {
  const dot = fileName.lastIndexOf('.');
  if (dot < 0) return null;
  const extension = fileName.slice(dot + 1).toLowerCase();
  const kinds = Object.keys(FILE_EXTENSIONS) as FileKind[];
  return kinds.find((kind) => FILE_EXTENSIONS[kind].includes(extension)) ?? null;
}

/** Opened when chosen, but tied to Hyaline neither by the system nor in a folder: too much else bears these names. */
export const MORE_EXTENSIONS = {
  slide: ['btf', 'qptiff', 'png', 'jpg', 'jpeg'],
  table: ['csv', 'tsv'],
  features: ['h5'],
} as const satisfies Partial<Record<ChosenKind, readonly string[]>>;

/** As `fileKindOf` for a file the user chose or dropped: plain images, tables and features too. */
export function chosenKindOf(fileName: string): ChosenKind | null {
  const known = fileKindOf(fileName);
  if (known !== null) return known;
  const extension = fileName.slice(fileName.lastIndexOf('.') + 1).toLowerCase();
  if (MORE_EXTENSIONS.slide.some((each) => each === extension)) return 'slide';
  if (MORE_EXTENSIONS.features.some((each) => each === extension)) return 'features';
  return MORE_EXTENSIONS.table.some((each) => each === extension) ? 'table' : null;
}
