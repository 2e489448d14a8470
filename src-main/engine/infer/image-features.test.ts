import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BackboneCard } from '../../../src-shared/model/backbone.ts';
import { randomResNet18Card } from '../backbone/random-resnet18.ts';
import { GraphBuilder } from '../graph/builder.ts';
import { encodeModel } from '../graph/proto.ts';
import golden from './image-features.golden.json' with { type: 'json' };
import { imageFeatures } from './image-features.ts';
import { InferenceWorker } from './inference-worker.ts';

const WIDTH = 24;
const HEIGHT = 20;

let folder = '';
let worker: InferenceWorker;
let modelPath = '';
/** A network that hands its input through: its features are the pixels it is given. */
const card: BackboneCard = {
  ...randomResNet18Card(),
  inputName: 'image',
  input: {
    widthPx: WIDTH,
    heightPx: HEIGHT,
    layout: 'NHWC',
    channelOrder: 'RGB',
    scale: 1,
    mean: [0, 0, 0],
    std: [1, 1, 1],
  },
};
const cut = {
  name: 'pixels',
  tensor: 'same',
  pooling: 'none',
  featureDim: WIDTH * HEIGHT * 3,
  cumulativeParameters: 0,
  cumulativeFlops: 0,
} as const;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hyaline-images-'));
  worker = new InferenceWorker();
  const g = new GraphBuilder('same');
  g.output(g.node('same', 'Identity', [g.input('image', ['N', HEIGHT, WIDTH, 3])]), null);
  modelPath = join(folder, 'same.onnx');
  await writeFile(modelPath, encodeModel(g.build()));
});
afterAll(async () => {
  await worker.close();
  await rm(folder, { recursive: true, force: true });
});

async function save(
  name: string,
  width: number,
  height: number,
  channels: 3 | 4,
  pixel: (x: number, y: number) => number[],
) {
  const data = Uint8Array.from({ length: height * width }, () => 0);
  const bytes = Array.from(data).flatMap((_, i) => pixel(i % width, Math.floor(i / width)));
  const path = join(folder, name);
  await sharp(Uint8Array.from(bytes), { raw: { width, height, channels } }).png().toFile(path);
  return path;
}

const run = (images: readonly string[], batchSize = 16) =>
  imageFeatures({ modelPath, card, cut, images, worker, batchSize, threads: 1 });

describe('imageFeatures', () => {
  it('resizes as Pillow does: bit for bit inside, and close at the edge, where Pillow shortens its filter', async () => {
    const path = await save('large.png', 70, 50, 3, (x, y) => [
      (x * 7 + y * 3) % 256,
      (x * y) % 256,
      (x * 2 + y * 11) % 256,
    ]);
    const [row] = await run([path]);
    const differences = golden.pixels.map((value, i) => Math.abs((row?.[i] ?? Number.NaN) - value));
    const inside = differences.filter((_, i) => {
      const [x, y] = [Math.floor(i / 3) % WIDTH, Math.floor(i / 3 / WIDTH)];
      return x > 0 && y > 0 && x < WIDTH - 1 && y < HEIGHT - 1;
    });
    expect(Math.max(...inside)).toBe(0);
    expect(Math.max(...differences)).toBeLessThan(50);
  });

  it('keeps the order of the images over batches, and leaves pixels of the right size alone', async () => {
    const paths = await Promise.all(
      [10, 20, 30, 40, 50].map((value) => save(`${value}.png`, WIDTH, HEIGHT, 3, () => [value, 0, 255])),
    );
    const rows = await run(paths, 2);
    expect(rows.map((row) => Array.from(row.slice(0, 3)))).toEqual(
      [10, 20, 30, 40, 50].map((value) => [value, 0, 255]),
    );
  });

  it('shows transparency as white', async () => {
    const [row] = await run([
      await save('clear.png', WIDTH, HEIGHT, 4, (x) => (x < 12 ? [9, 9, 9, 0] : [9, 9, 9, 255])),
    ]);
    expect([row?.[0], row?.[12 * 3]]).toEqual([255, 9]);
  });

  it('names an image that cannot be read', async () => {
    const path = join(folder, 'note.png');
    await writeFile(path, 'no image');
    await expect(run([path])).rejects.toMatchObject({
      code: 'FileUnreadable',
      message: expect.stringContaining('note.png'),
    });
  });
});
