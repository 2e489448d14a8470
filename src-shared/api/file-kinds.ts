import type { FileKind } from './shell.ts';

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
