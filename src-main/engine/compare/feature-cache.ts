import { createHash } from 'node:crypto';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackboneCard, CutPoint } from '../../../src-shared/model/backbone.ts';

const HASH_BYTES = 32;

/**
 * Features on disk, one file per network, input and cut: records of an image's SHA-256 and its values (float32, this
 * machine's byte order). Records are only ever added; one cut short by a kill is left out and written again.
 */
export class FeatureCache {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The features known so far, by image hash. */
  async read(card: BackboneCard, cut: CutPoint): Promise<Map<string, Float32Array>> {
    const known = new Map<string, Float32Array>();
    const bytes = await readFile(this.#path(card, cut)).catch(() => null);
    if (bytes === null) return known;
    const size = HASH_BYTES + cut.featureDim * Float32Array.BYTES_PER_ELEMENT;
    for (let at = 0; at + size <= bytes.byteLength; at += size) {
      const hash = bytes.subarray(at, at + HASH_BYTES).toString('hex');
      known.set(hash, new Float32Array(new Uint8Array(bytes.subarray(at + HASH_BYTES, at + size)).buffer));
    }
    return known;
  }

  /** Adds the features of images, all rows in one write. */
  async add(
    card: BackboneCard,
    cut: CutPoint,
    rows: readonly { readonly sha256: string; readonly values: Float32Array }[],
  ): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    const records = rows.flatMap(({ sha256, values }) => [
      Buffer.from(sha256, 'hex'),
      Buffer.from(values.buffer, values.byteOffset, values.byteLength),
    ]);
    const size = HASH_BYTES + cut.featureDim * Float32Array.BYTES_PER_ELEMENT;
    const file = await open(this.#path(card, cut), 'a');
    try {
      const { size: before } = await file.stat();
      if (before % size !== 0) await file.truncate(before - (before % size));
      await file.appendFile(Buffer.concat(records));
    } finally {
      await file.close();
    }
  }

  #path(card: BackboneCard, cut: CutPoint): string {
    const key = JSON.stringify([card.id, card.input, cut.tensor, cut.pooling, cut.featureDim]);
    return join(this.#folder, `${createHash('sha256').update(key).digest('hex').slice(0, 32)}.features`);
  }
}
