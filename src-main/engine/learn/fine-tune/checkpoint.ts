import { readFile } from 'node:fs/promises';
import { writeWhole } from '../../infer/write-whole.ts';
import type { RunnerSnapshot } from '../step-runner.ts';
import type { EpochRecord } from '../train-head.ts';

/** Everything a fine-tuning needs to go on after its last whole epoch. */
export interface Checkpoint {
  readonly history: readonly EpochRecord[];
  readonly bestEpoch: number;
  readonly now: RunnerSnapshot;
  readonly best: ReadonlyMap<string, Float32Array>;
}

/** Raised when the state of an optimiser comes to mean something else: 2, since Adam keeps sums as its moments. */
const FORMAT = 2;

interface Header {
  readonly format: number;
  /** What was trained with which settings; another one is not gone on with. */
  readonly key: string;
  readonly history: readonly EpochRecord[];
  readonly bestEpoch: number;
  readonly steps: number;
  readonly tensors: readonly { readonly part: 'now' | 'best'; readonly name: string; readonly length: number }[];
}

/** Writes a checkpoint in one go: a kill leaves the former one. */
export async function writeCheckpoint(path: string, key: string, checkpoint: Checkpoint): Promise<void> {
  const { history, bestEpoch, now, best } = checkpoint;
  const parts = [
    ...[...now.tensors].map(([name, values]) => ({ part: 'now' as const, name, values })),
    ...[...best].map(([name, values]) => ({ part: 'best' as const, name, values })),
  ];
  const tensors = parts.map(({ part, name, values }) => ({ part, name, length: values.length }));
  const header: Header = { format: FORMAT, key, history, bestEpoch, steps: now.steps, tensors };
  const text = Buffer.from(JSON.stringify(header));
  // Floats begin at a multiple of four.
  const padded = Buffer.concat([text, Buffer.alloc((4 - (text.length % 4)) % 4, ' ')]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(padded.length);
  const floats = parts.map(({ values }) => Buffer.from(values.buffer, values.byteOffset, values.byteLength));
  await writeWhole(path, Buffer.concat([length, padded, ...floats]));
}

/** The checkpoint kept for this very fine-tuning; null where there is none, or one of another or a damaged one. */
export async function readCheckpoint(path: string, key: string): Promise<Checkpoint | null> {
  const bytes = await readFile(path).catch(() => null);
  if (bytes === null) return null;
  try {
    const size = bytes.readUInt32LE(0);
    const header = JSON.parse(bytes.subarray(4, 4 + size).toString()) as Header;
    if (header.format !== FORMAT || header.key !== key) return null;
    const all = new Uint8Array(bytes.subarray(4 + size));
    const floats = new Float32Array(all.slice().buffer);
    const [now, best] = [new Map<string, Float32Array>(), new Map<string, Float32Array>()];
    let at = 0;
    for (const { part, name, length } of header.tensors) {
      (part === 'now' ? now : best).set(name, floats.slice(at, at + length));
      at += length;
    }
    if (at !== floats.length) return null;
    const { history, bestEpoch, steps } = header;
    return { history, bestEpoch, now: { steps, tensors: now }, best };
  } catch {
    return null;
  }
}
