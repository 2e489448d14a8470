import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InferenceWorker } from '../infer/inference-worker.ts';
import { makeRandomResNet18, randomResNet18Card } from './random-resnet18.ts';
import { RandomStream } from './random-stream.ts';
import { backbonePath, ensureBuiltIns } from './registry.ts';

let folder = '';
let worker: InferenceWorker;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hyaline-built-in-'));
  worker = new InferenceWorker();
});
afterAll(async () => {
  await worker.close();
  await rm(folder, { recursive: true, force: true });
});

describe('random-resnet18', () => {
  it('has the bytes, and so the id, it has on every machine', () => {
    expect(makeRandomResNet18().card).toEqual(randomResNet18Card());
  });

  it('is written once and then found', async () => {
    const [card] = await ensureBuiltIns(folder, worker);
    const path = backbonePath(folder, card?.id ?? randomResNet18Card().id);
    const first = await stat(path);
    expect(first.size).toBe(card?.sizeBytes);
    await ensureBuiltIns(folder, worker);
    expect((await stat(path)).mtimeMs).toBe(first.mtimeMs);
  });

  it('tells images apart: features are finite, alive and follow the image', async () => {
    const [card = randomResNet18Card()] = await ensureBuiltIns(folder, worker);
    const { input, inputName } = card;
    const { session } = await worker.load({
      modelPath: backbonePath(folder, card.id),
      cuts: card.cuts.slice(-1),
      input,
      inputName,
      threads: 0,
      provider: 'cpu',
    });
    const rows = await featuresOf(session, [pinkTile, pinkTile, nucleiTile, whiteTile], input.widthPx);
    await worker.release(session);
    const [pink, again, nuclei, white] = rows as [Float32Array, Float32Array, Float32Array, Float32Array];
    expect(Array.from(again)).toEqual(Array.from(pink));
    for (const row of rows) expect(row.filter((value) => value > 0).length).toBeGreaterThan(256);
    expect(cosine(pink, nuclei)).toBeLessThan(0.999);
    expect(cosine(pink, white)).toBeLessThan(0.999);
  });
});

describe('RandomStream', () => {
  it('draws normal numbers', () => {
    const stream = new RandomStream(7, 'layer');
    const values = Array.from({ length: 100_000 }, () => stream.nextNormal());
    const moment = (power: number): number => values.reduce((sum, value) => sum + value ** power, 0) / values.length;
    expect(moment(1)).toBeCloseTo(0, 1);
    expect(moment(2)).toBeCloseTo(1, 1);
    expect(Math.abs(moment(3))).toBeLessThan(0.05);
    expect(Math.abs(moment(4) - 3)).toBeLessThan(0.1);
  });

  it('gives other numbers for another seed or another label', () => {
    const first = (seed: number, label: string): number => new RandomStream(seed, label).nextUint32();
    expect(new Set([first(1, 'a'), first(2, 'a'), first(1, 'b'), first(2 ** 33 + 1, 'a')]).size).toBe(4);
    expect(first(1, 'a')).toBe(first(1, 'a'));
  });
});

type Paint = (x: number, y: number) => readonly [number, number, number];
const pinkTile: Paint = () => [225, 160, 195];
const whiteTile: Paint = () => [245, 245, 245];
const nucleiTile: Paint = (x, y) =>
  ((x % 24) - 12) ** 2 + ((y % 24) - 12) ** 2 < 40 ? [90, 60, 140] : [225, 160, 195];

async function featuresOf(session: number, tiles: readonly Paint[], sidePx: number): Promise<Float32Array[]> {
  const pixels = new SharedArrayBuffer(tiles.length * sidePx * sidePx * 3);
  const bytes = new Uint8Array(pixels);
  tiles.forEach((paint, tile) => {
    for (let y = 0; y < sidePx; y += 1) {
      for (let x = 0; x < sidePx; x += 1) bytes.set(paint(x, y), ((tile * sidePx + y) * sidePx + x) * 3);
    }
  });
  const output = new SharedArrayBuffer(tiles.length * 512 * 4);
  await worker.run({ session, pixels, pixelOffset: 0, count: tiles.length, output, outputOffset: 0 });
  return tiles.map((_, i) => new Float32Array(output, i * 512 * 4, 512));
}

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array): number => x.reduce((sum, value, i) => sum + value * (y[i] ?? 0), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}
