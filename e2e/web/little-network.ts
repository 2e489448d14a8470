import { writeFile } from 'node:fs/promises';
import { GraphBuilder } from '../../src-main/engine/graph/builder.ts';
import { encodeModel } from '../../src-main/engine/graph/proto.ts';
import { nextGaussian, seededRandom } from '../../src-shared/numeric/random.ts';

/** Side of the images it takes. */
export const SIDE_PX = 16;
const FIRST = 8;
const SECOND = 6;
/** Of a 3 x 3 filter over three channels. */
const TAPS = 27;

/**
 * A network of two convolutions with a sum between, so that it can be cut in the middle. Where `planted`, its first
 * layer has a filter for checkerboards of single pixels, and its second one cannot see that filter's answers: what was
 * planted shows at the first cut only.
 */
export async function writeLittleNetwork(path: string, planted: boolean, seed: number): Promise<void> {
  const random = seededRandom(seed);
  const draw = (count: number) => Float32Array.from({ length: count }, () => 0.05 * nextGaussian(random));
  const first = draw(FIRST * TAPS);
  const second = draw(SECOND * FIRST * 9);
  if (planted) {
    for (let at = 0; at < TAPS; at++) first[at] = (at % 9) % 2 === 0 ? 0.9 : -1.1;
    for (let out = 0; out < SECOND; out++) second.fill(0, out * FIRST * 9, out * FIRST * 9 + 9);
  }
  const g = new GraphBuilder('little');
  const image = g.input('image', ['N', 3, SIDE_PX, SIDE_PX]);
  const pads = { pads: [1, 1, 1, 1] };
  const conv = g.node('conv1', 'Conv', [image, g.floats('w1', [FIRST, 3, 3, 3], first)], pads);
  const relu = g.node('relu1', 'Relu', [conv]);
  const sum = g.node('sum1', 'Add', [relu, relu]);
  const conv2 = g.node('conv2', 'Conv', [sum, g.floats('w2', [SECOND, FIRST, 3, 3], second)], pads);
  g.output(g.node('relu2', 'Relu', [conv2]), null);
  await writeFile(path, encodeModel(g.build()));
}
