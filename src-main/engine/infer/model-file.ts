import { readFileSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize, sep } from 'node:path';
import { AppError } from '../../../src-shared/errors.ts';
import type { OnnxModel } from '../graph/model.ts';
import { decodeModel, MAX_MODEL_BYTES, type ReadExternal } from '../graph/proto.ts';

/**
 * Reads an ONNX file from disk, with its weights where they lie in a second file beside it.
 *
 * @throws AppError FileUnreadable, BackboneUnreadable.
 */
export async function readModelFile(path: string): Promise<OnnxModel> {
  return decodeModelFile(await readWholeFile(path), path);
}

/** Reads a model or checkpoint file. @throws AppError FileUnreadable, BackboneUnreadable where it is empty or too large. */
export async function readWholeFile(path: string): Promise<Uint8Array> {
  const unreadable = (cause: unknown): never => {
    throw new AppError('FileUnreadable', 'The backbone file cannot be read.', { detail: String(cause), cause });
  };
  const { size } = await stat(path).catch(unreadable);
  if (size === 0) throw refused('This file is empty.', 'Export or download it again.');
  if (size > MAX_MODEL_BYTES) {
    throw refused(
      'This file is larger than the 2 GB one network can hold.',
      'Choose the checkpoint of the encoder alone.',
    );
  }
  return await readFile(path).catch(unreadable);
}

/** Reads the bytes of an ONNX file; `path` tells where weights in a second file lie. Throws as `readModelFile`. */
export function decodeModelFile(bytes: Uint8Array, path: string): OnnxModel {
  refuseForeign(bytes.subarray(0, 256));
  return decodeModel(bytes, readBeside(dirname(path)));
}

function refused(message: string, advice: string): AppError {
  return new AppError('BackboneUnreadable', message, { advice });
}

/** Names the common mix-ups by their first bytes, before protobuf gives a puzzling message. */
function refuseForeign(head: Uint8Array): void {
  const start = Buffer.from(head);
  if (start.toString('latin1').startsWith('version https://git-lfs')) {
    throw refused(
      'This is a Git LFS pointer, not the model itself.',
      'Fetch the file with "git lfs pull" or download it from the website.',
    );
  }
  if (start.every((byte) => byte === 9 || byte === 10 || byte === 13 || (byte >= 32 && byte < 127))) {
    throw refused(
      'This is a text file, not a model: no ONNX, safetensors or PyTorch file.',
      'Choose the model file itself.',
    );
  }
}

/** Reads weights from files in or below one folder; anything else the model may name is refused. */
function readBeside(folder: string): ReadExternal {
  const files = new Map<string, Uint8Array>();
  return (location, offset, length) => {
    const relative = normalize(location);
    if (isAbsolute(relative) || relative.split(sep).includes('..')) {
      throw refused(
        'This model names a weight file outside its own folder, which is not allowed.',
        'Put both files into one folder.',
      );
    }
    let bytes = files.get(relative);
    if (!bytes) {
      try {
        bytes = readFileSync(join(folder, relative));
      } catch (cause) {
        throw new AppError(
          'BackboneUnreadable',
          `The weights of this network lie in a second file, "${relative}", which is not here.`,
          {
            advice: 'Put that file beside the .onnx file and import again.',
            detail: String(cause),
            cause,
          },
        );
      }
      files.set(relative, bytes);
    }
    const end = length === null ? bytes.byteLength : offset + length;
    if (end > bytes.byteLength) throw refused(`The weight file "${relative}" is cut short.`, 'Download it again.');
    return bytes.subarray(offset, end);
  };
}
