import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { arch, cpus, platform } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import type { CutPoint } from '../../../src-shared/model/backbone.ts';

/** Everything an optimised graph depends on. */
export interface GraphIdentity {
  /** SHA-256 of the model file. */
  readonly modelSha256: string;
  /** The cuts whose pooled features are the graph's outputs, in order. */
  readonly cuts: readonly Pick<CutPoint, 'tensor' | 'pooling'>[];
  readonly provider: string;
  readonly level: string;
  readonly runtimeVersion: string;
  /** The kind of processor: layouts are chosen for its vector units. */
  readonly machine: string;
}

/** An optimised graph, as onnxruntime wrote it in its own format. */
export interface CachedGraph {
  readonly model: Uint8Array;
  /** Images the network takes at once, where its file fixes that; null = any number. */
  readonly fixedBatch: number | null;
}

/** Room all optimised graphs of a store may take together; the ones used longest ago go first. */
export const MAX_CACHE_BYTES = 2 * 2 ** 30;

/** A graph that is still not named after this time was left by a session that was killed. */
const ABANDONED_MS = 3_600_000;
const GRAPH = '.graph';
const RECORD = '.json';

const recordSchema = z.object({
  modelSha256: z.string(),
  runtimeVersion: z.string(),
  graphCrc32: z.number(),
  fixedBatch: z.number().nullable(),
});
type GraphRecord = z.infer<typeof recordSchema>;

/** Where the optimised graphs of a store lie. */
export function graphCacheFolder(storeFolder: string): string {
  return join(storeFolder, 'cache', 'graphs');
}

/** This machine's processor in a few words: architecture, model and, where the system tells, its feature flags. */
export function machineKind(): string {
  let flags = '';
  try {
    flags = /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.trim() ?? '';
  } catch {
    // Only Linux tells; elsewhere the processor's model stands for its features.
  }
  return [platform(), arch(), cpus()[0]?.model.trim() ?? '', flags].join(' ');
}

/**
 * Graphs as onnxruntime has optimised them (constants folded, operators fused, weights in the processor's layout), kept
 * in a folder so that opening a network does not repeat the work. The folder is a cache: it may be deleted at any time.
 * Each graph is a file named by everything it depends on, with a record beside it that holds its checksum; what does not
 * agree with its record is removed and made again. The checksum finds damage (whoever may change the graph may change the
 * record too); a cryptographic digest would find no more, and take longer than to optimise.
 */
export class GraphCache {
  private readonly folder: string;
  private readonly maxBytes: number;

  constructor(folder: string, maxBytes: number = MAX_CACHE_BYTES) {
    this.folder = folder;
    this.maxBytes = maxBytes;
  }

  /** The graph kept for this identity, checked against its checksum; null where there is none that is whole. */
  async read(identity: GraphIdentity): Promise<CachedGraph | null> {
    const name = nameOf(identity);
    const record = await this.record(name);
    if (record === null) return null;
    const path = join(this.folder, name + GRAPH);
    const model = await readFile(path).catch(() => null);
    if (model === null || crc32(model) !== record.graphCrc32) {
      await this.drop(name);
      return null;
    }
    const now = new Date();
    await utimes(path, now, now).catch(() => undefined);
    return { model, fixedBatch: record.fixedBatch };
  }

  /**
   * Keeps the graph that `write` writes to the path it is given. Never throws for want of room or rights: a cache that
   * cannot be written is no cache. What `write` itself throws is passed on.
   *
   * @param write is given null where there is nowhere to write to.
   */
  async keep<T>(
    identity: GraphIdentity,
    fixedBatch: number | null,
    write: (path: string | null) => Promise<T>,
  ): Promise<T> {
    const name = nameOf(identity);
    const passing = join(this.folder, `${randomUUID()}.tmp`);
    const ready = await mkdir(this.folder, { recursive: true }).then(
      () => true,
      () => false,
    );
    if (!ready) return await write(null);
    try {
      const result = await write(passing);
      await this.take(identity, fixedBatch, name, passing);
      return result;
    } finally {
      await remove(passing);
      await remove(passing + RECORD);
    }
  }

  /** Gives a graph just written its name and its record; where that fails, nothing of it stays. */
  private async take(identity: GraphIdentity, fixedBatch: number | null, name: string, passing: string): Promise<void> {
    try {
      const { modelSha256, runtimeVersion } = identity;
      const graphCrc32 = crc32(await readFile(passing));
      const record: GraphRecord = { modelSha256, runtimeVersion, graphCrc32, fixedBatch };
      await writeFile(`${passing}${RECORD}`, JSON.stringify(record));
      await rename(passing, join(this.folder, name + GRAPH));
      await rename(`${passing}${RECORD}`, join(this.folder, name + RECORD));
      await this.bound(runtimeVersion);
    } catch {
      // The next session optimises again.
      await this.drop(name);
    }
  }

  /** Removes the graph of an identity, because the runtime does not take it. */
  async forget(identity: GraphIdentity): Promise<void> {
    await this.drop(nameOf(identity));
  }

  /** Removes every graph made of a model. */
  async forgetModel(modelSha256: string): Promise<void> {
    for (const name of await this.names()) {
      if ((await this.record(name))?.modelSha256 === modelSha256) await this.drop(name);
    }
  }

  /** What is kept, for the user. */
  async usage(): Promise<{ readonly graphs: number; readonly bytes: number }> {
    const sizes = (await this.entries()).map(({ bytes }) => bytes);
    return { graphs: sizes.length, bytes: sizes.reduce((sum, bytes) => sum + bytes, 0) };
  }

  /**
   * Removes what a killed session left, what another version of the runtime made, then the graphs used longest ago until
   * the rest has room.
   */
  private async bound(runtimeVersion: string): Promise<void> {
    for (const file of await readdir(this.folder)) {
      const path = join(this.folder, file);
      const found = file.includes('.tmp') ? await stat(path).catch(() => null) : null;
      if (found !== null && Date.now() - found.mtimeMs > ABANDONED_MS) await remove(path);
    }
    for (const name of await this.names()) {
      const record = await this.record(name);
      if (record === null || record.runtimeVersion !== runtimeVersion) await this.drop(name);
    }
    const entries = (await this.entries()).sort((a, b) => a.usedAtMs - b.usedAtMs);
    let total = entries.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const { name, bytes } of entries) {
      if (total <= this.maxBytes) return;
      await this.drop(name);
      total -= bytes;
    }
  }

  private async record(name: string): Promise<GraphRecord | null> {
    try {
      return recordSchema.parse(JSON.parse(await readFile(join(this.folder, name + RECORD), 'utf8')));
    } catch {
      return null;
    }
  }

  private async drop(name: string): Promise<void> {
    await remove(join(this.folder, name + RECORD));
    await remove(join(this.folder, name + GRAPH));
  }

  private async names(): Promise<readonly string[]> {
    const files = await readdir(this.folder).catch(() => []);
    return files.filter((file) => file.endsWith(GRAPH)).map((file) => file.slice(0, -GRAPH.length));
  }

  private async entries(): Promise<{ name: string; bytes: number; usedAtMs: number }[]> {
    const entries: { name: string; bytes: number; usedAtMs: number }[] = [];
    for (const name of await this.names()) {
      const found = await stat(join(this.folder, name + GRAPH)).catch(() => null);
      if (found !== null) entries.push({ name, bytes: found.size, usedAtMs: found.mtimeMs });
    }
    return entries;
  }
}

async function remove(path: string): Promise<void> {
  await rm(path, { force: true }).catch(() => undefined);
}

function nameOf({ modelSha256, cuts, provider, level, runtimeVersion, machine }: GraphIdentity): string {
  const points = cuts.map(({ tensor, pooling }) => [tensor, pooling]);
  return sha256(JSON.stringify([modelSha256, points, provider, level, runtimeVersion, machine]));
}

function sha256(data: string): string {
  return createHash('sha256').update(data).digest('hex');
}
