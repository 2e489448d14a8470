import { ARCHITECTURES } from '../architectures/all.ts';
import { hashWeights } from './hash-weights.ts';

/** A .safetensors file of a network with formula weights, its keys under a prefix. */
export function safetensorsOf(architecture: string, prefix: string): Buffer {
  const header: Record<string, unknown> = {};
  const parts: Buffer[] = [];
  let offset = 0;
  ARCHITECTURES[architecture]?.((spec) => {
    const values = hashWeights(spec);
    const end = offset + values.byteLength;
    header[prefix + spec.name] = { dtype: 'F32', shape: spec.dims, data_offsets: [offset, end] };
    parts.push(Buffer.from(values.buffer));
    offset = end;
    return values;
  });
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...parts]);
}
