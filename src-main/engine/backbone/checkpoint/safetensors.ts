import { z } from 'zod';
import { elementCount } from '../../graph/model.ts';
import type { Checkpoint, CheckpointTensor, StoredType } from './tensor.ts';
import { damaged, decodeElements, STORED_BYTES } from './tensor.ts';

const TYPES: Readonly<Record<string, StoredType>> = {
  F32: 'float32',
  F64: 'float64',
  F16: 'float16',
  BF16: 'bfloat16',
  I64: 'int64',
};

const entrySchema = z.object({
  dtype: z.string(),
  shape: z.array(z.number().int().nonnegative()),
  data_offsets: z.tuple([z.number().int().nonnegative(), z.number().int().nonnegative()]),
});

const MAX_HEADER_BYTES = 100_000_000;

/** True where the bytes begin as a safetensors file does: a header length and a JSON object. */
export function isSafetensors(bytes: Uint8Array): boolean {
  return (
    bytes.byteLength > 9 && bytes[8] === 0x7b && headerLength(bytes) <= Math.min(bytes.byteLength, MAX_HEADER_BYTES)
  );
}

function headerLength(bytes: Uint8Array): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
}

/**
 * Reads a .safetensors file.
 *
 * @throws AppError BackboneUnreadable.
 * @see https://huggingface.co/docs/safetensors, "Format"
 */
export function readSafetensors(bytes: Uint8Array): Checkpoint {
  const length = headerLength(bytes);
  if (8 + length > bytes.byteLength) throw damaged('This safetensors file is cut short.');
  let header: unknown;
  try {
    header = JSON.parse(Buffer.from(bytes.subarray(8, 8 + length)).toString('utf8'));
  } catch (cause) {
    throw damaged('The header of this safetensors file cannot be read.', undefined, String(cause));
  }
  const tensors = new Map<string, CheckpointTensor>();
  const data = bytes.subarray(8 + length);
  for (const [name, value] of Object.entries(header ?? {})) {
    if (name === '__metadata__') continue;
    const entry = entrySchema.safeParse(value);
    if (!entry.success) throw damaged(`The entry "${name}" of this safetensors file cannot be read.`);
    tensors.set(name, tensorOf(entry.data, data, name));
  }
  return tensors;
}

function tensorOf(entry: z.infer<typeof entrySchema>, data: Uint8Array, name: string): CheckpointTensor {
  const [start, end] = entry.data_offsets;
  const type = TYPES[entry.dtype] ?? 'other';
  const count = elementCount(entry.shape);
  if (end > data.byteLength || end < start) throw damaged('This safetensors file is cut short.');
  if (type !== 'other' && end - start !== count * STORED_BYTES[type]) {
    throw damaged(`The tensor "${name}" does not have the size its shape says.`);
  }
  return { dims: entry.shape, type, read: () => decodeElements(data.subarray(start, end), type, count) };
}
