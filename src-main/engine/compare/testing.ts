import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import type { BackboneCard, CutPoint } from '../../../src-shared/model/backbone.ts';
import { asId, type BackboneId } from '../../../src-shared/model/ids.ts';
import { nextGaussian, seededRandom } from '../../../src-shared/numeric/random.ts';
import { GraphBuilder } from '../graph/builder.ts';
import { encodeModel } from '../graph/proto.ts';
import type { CompareBackbone } from './contenders.ts';

/** Side of the images and of the little network's input. */
export const SIDE_PX = 16;

/** The value of a pixel before noise, red, green and blue. */
export type Paint = (x: number, y: number, channel: number, random: () => number) => number;

export const grey: Paint = () => 128;
/** A checkerboard of single pixels with random sign: the mean colour stays. */
export const checkered: Paint = (x, y) => 128 + ((x + y) % 2 === 0 ? 2.5 : -2.5);
export const pink: Paint = (_x, _y, channel) => (channel === 1 ? 100 : 150);

/** Writes PNG images of noise around what is painted. */
export async function paintImages(folder: string, count: number, paint: Paint, seed: number): Promise<string[]> {
  const random = seededRandom(seed);
  const paths: string[] = [];
  for (let n = 0; n < count; n++) {
    const pixels = Uint8Array.from({ length: SIDE_PX * SIDE_PX * 3 }, (_, at) => {
      const place = Math.floor(at / 3);
      const value = paint(place % SIDE_PX, Math.floor(place / SIDE_PX), at % 3, random) + 20 * nextGaussian(random);
      return Math.min(255, Math.max(0, Math.round(value)));
    });
    const path = join(folder, `${String(n).padStart(3, '0')}.png`);
    await mkdir(dirname(path), { recursive: true });
    await sharp(pixels, { raw: { width: SIDE_PX, height: SIDE_PX, channels: 3 } })
      .png()
      .toFile(path);
    paths.push(path);
  }
  return paths;
}

const FIRST = 8;
const SECOND = 6;

/**
 * A network of two convolutions. Its first layer has a filter for single-pixel checkerboards; its second one cannot see
 * that filter's answers: what it was made for shows at the first cut only.
 */
export async function writeLittleNetwork(folder: string, name: string, origin: BackboneCard['origin'], seed: number) {
  const random = seededRandom(seed);
  const draw = (count: number, scale: number) =>
    Float32Array.from({ length: count }, () => scale * nextGaussian(random));
  const first = draw(FIRST * 27, 0.05);
  const second = draw(SECOND * FIRST * 9, 0.05);
  if (origin !== 'random') {
    for (let at = 0; at < 27; at++) first[at] = (at % 9) % 2 === 0 ? 0.9 : -1.1;
    for (let out = 0; out < SECOND; out++) second.fill(0, out * FIRST * 9, out * FIRST * 9 + 9);
  }
  const g = new GraphBuilder('little');
  const image = g.input('image', ['N', 3, SIDE_PX, SIDE_PX]);
  const pads = { pads: [1, 1, 1, 1] };
  const bias = g.floats('bias1', [FIRST], new Float32Array(FIRST));
  const conv = g.node('conv1', 'Conv', [image, g.floats('w1', [FIRST, 3, 3, 3], first), bias], pads);
  const early = g.node('early', 'Relu', [conv]);
  const conv2 = g.node('conv2', 'Conv', [early, g.floats('w2', [SECOND, FIRST, 3, 3], second)], pads);
  g.output(g.node('late', 'Relu', [conv2]), null);
  const bytes = encodeModel(g.build());
  const modelPath = join(folder, `${name}.onnx`);
  await mkdir(folder, { recursive: true });
  await writeFile(modelPath, bytes);
  const cut = (cutName: string, featureDim: number, cumulativeParameters: number): CutPoint => ({
    ...{ name: cutName, tensor: cutName, pooling: 'global-average' as const, featureDim, cumulativeParameters },
    cumulativeFlops: cumulativeParameters * 256,
  });
  const cuts = [cut('early', FIRST, FIRST * 28), cut('late', SECOND, FIRST * 28 + SECOND * FIRST * 9)];
  const card: BackboneCard = {
    ...{ id: asId<BackboneId>(name.padEnd(64, '0')), name, architecture: 'little', origin, method: `seed ${seed}` },
    ...{ licence: 'MIT', source: 'test', inputName: 'image', parameters: cuts[1]?.cumulativeParameters ?? 0 },
    input: {
      ...{ widthPx: SIDE_PX, heightPx: SIDE_PX, layout: 'NCHW', channelOrder: 'RGB', scale: 1 / 64 },
      ...{ mean: [2, 2, 2], std: [1, 1, 1] },
    },
    ...{ sizeBytes: bytes.byteLength, trainedMpp: null, cuts, defaultCut: 'late', builtIn: false, assumed: [] },
  };
  return { card, modelPath, cuts } satisfies CompareBackbone;
}
