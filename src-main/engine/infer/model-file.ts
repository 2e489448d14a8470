import { readFileSync } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
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
  const { size } = await stat(path).catch((cause: unknown) => {
    throw new AppError('FileUnreadable', 'The backbone file cannot be read.', { detail: String(cause), cause });
  });
  if (size === 0) throw refused('This file is empty.', 'Export or download it again.');
  if (size > MAX_MODEL_BYTES) {
    throw refused(
      'This file is larger than the 2 GB an ONNX file can hold.',
      'Export the network with its weights in a separate file.',
    );
  }
  await refuseForeign(path);
  return decodeModel(await readFile(path), readBeside(dirname(path)));
}

function refused(message: string, advice: string): AppError {
  return new AppError('BackboneUnreadable', message, { advice });
}

/** Names the common mix-ups by their first bytes, before protobuf gives a puzzling message. */
async function refuseForeign(path: string): Promise<void> {
  const file = await open(path, 'r');
  const head = Buffer.alloc(256);
  const { bytesRead } = await file.read(head, 0, head.length, 0).finally(() => file.close());
  const start = head.subarray(0, bytesRead);
  if (start.subarray(0, 4).equals(Buffer.from('PK\u0003\u0004'))) {
    throw refused(
      'This is a ZIP archive or a PyTorch checkpoint, not an ONNX model.',
      'Give it its own name (.pth or .pt) and import that.',
    );
  }
  if (start.toString('latin1').startsWith('version https://git-lfs')) {
    throw refused(
      'This is a Git LFS pointer, not the model itself.',
      'Fetch the file with "git lfs pull" or download it from the website.',
    );
  }
  if (bytesRead > 0 && start.every((byte) => byte === 9 || byte === 10 || byte === 13 || (byte >= 32 && byte < 127))) {
    throw refused('This is a text file, not an ONNX model.', 'Choose the .onnx file itself.');
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
