import { AppError } from '../../../src-shared/errors.ts';
import type { CutPoint, InputSpec } from '../../../src-shared/model/backbone.ts';
import type { MapRobustness, RobustnessCurve, ShiftedScore } from '../../../src-shared/model/comparison.ts';
import { seededRandom, shuffledIndices } from '../../../src-shared/numeric/random.ts';
import { mean, spearman } from '../../../src-shared/numeric/statistics.ts';
import { readImage } from '../infer/image-features.ts';
import { similarityToTile } from '../map/similarity.ts';
import { rowsOf } from '../study/linear-model.ts';
import type { CompareBackbone } from './contenders.ts';
import { IMAGE_SHIFTS } from './image-shifts.ts';
import type { Bench, PartedTask } from './network-scores.ts';
import { patchFeatures } from './patch-features.ts';
import { partScore } from './probe-part.ts';
import type { SlideTiles } from './slide-tiles.ts';
import { taskLabels } from './task-parts.ts';

const BATCH = 16;

/**
 * How a probe fitted on unchanged training images does on changed test images: for every shift and level its score, and
 * the rank correlation of its decision values with those of the unchanged images (1 = a map of them would not move).
 * One cut, the first part of the task, at most `most` of its test images, the same for every backbone.
 *
 * @throws AppError as `patchFeatures`; Cancelled.
 */
export async function robustnessCurve(
  bench: Bench,
  backbone: CompareBackbone,
  cut: CutPoint,
  { task, parts }: PartedTask,
  most: number,
): Promise<RobustnessCurve | null> {
  const part = parts[0];
  if (part === undefined) return null;
  const order = [...shuffledIndices(part.test.length, seededRandom(part.seed))].slice(0, most);
  const chosen = order.map((i) => part.test[i] ?? 0).sort((a, b) => a - b);
  const { worker, cache, threads, signal } = bench;
  const { card, modelPath } = backbone;
  const known = await patchFeatures({
    worker,
    cache,
    threads,
    signal,
    modelPath,
    card,
    cuts: [cut],
    images: task.images,
  });
  const clean = known.get(cut.name);
  if (clean === undefined) return null;
  const variants = LEVELS.map(({ shift: { name, unit }, level }) => ({ name, unit, level }));
  const shifted = await shiftedFeatures(bench, backbone, cut, {
    count: chosen.length,
    read: (image, input) => readImage(task.images[chosen[image] ?? 0]?.path ?? '', input),
    seed: (image) => (chosen[image] ?? 0) + 1,
  });
  // One set of rows: training images, then the chosen ones unchanged, then once for every variant.
  const data = new Float32Array(part.train.length * cut.featureDim + shifted.length);
  data.set(rowsOf(clean, part.train).data);
  data.set(shifted, part.train.length * cut.featureDim);
  const imageOf = [...part.train, ...chosen, ...variants.flatMap(() => chosen)];
  const labels = taskLabels(task);
  const input = {
    samples: { data, count: imageOf.length, dim: cut.featureDim },
    labels: Uint32Array.from(imageOf, (image) => labels[image] ?? 0),
    classes: task.classes.length,
    groups: imageOf.map((image) => task.images[image]?.group ?? ''),
    gram: null,
  };
  const train = part.train.map((_, i) => i);
  const test = imageOf.slice(train.length).map((_, i) => train.length + i);
  const shiftedPart = { seed: part.seed, fold: part.fold, train, test };
  const [result] = await bench.probes.fit({ input, parts: [shiftedPart], settings: bench.settings });
  const decisions = result?.decisions ?? new Float64Array(0);
  const truth = Uint32Array.from(chosen, (image) => labels[image] ?? 0);
  const size = decisions.length / (variants.length + 1);
  const block = (b: number): Float64Array => decisions.slice(b * size, (b + 1) * size);
  const shifts = variants.map(
    (variant, v): ShiftedScore => ({
      shift: variant.name,
      unit: variant.unit,
      level: variant.level,
      score: partScore(truth, block(v + 1), task.classes.length),
      rankCorrelation: rankAgreement(block(0), block(v + 1), size / chosen.length),
    }),
  );
  const score = partScore(truth, block(0), task.classes.length);
  return { backbone: card.name, cut: cut.name, images: chosen.length, unchanged: score, shifts };
}

/** Mean over the outputs of Spearman's correlation between two sets of decision values; null where one does not vary. */
function rankAgreement(a: Float64Array, b: Float64Array, outputs: number): number | null {
  const columns = Array.from({ length: outputs }, (_, k) => {
    const column = (values: Float64Array) => values.filter((_value, at) => at % outputs === k);
    return spearman(column(a), column(b));
  });
  const agreement = mean(columns);
  return Number.isFinite(agreement) ? agreement : null;
}

/** Images to shift: `read` gives one as a network of this input sees it, `seed` what its shifts are drawn by. */
interface Shiftable {
  readonly count: number;
  read(image: number, input: InputSpec): Promise<Uint8Array>;
  seed(image: number): number;
}

const LEVELS = IMAGE_SHIFTS.flatMap((shift) => shift.levels.map((level) => ({ shift, level })));

/** Features of images unchanged, then under every shift and level, variant by variant. */
async function shiftedFeatures(
  { worker, threads, signal, onProgress }: Bench,
  { card, modelPath }: CompareBackbone,
  cut: CutPoint,
  images: Shiftable,
): Promise<Float32Array> {
  const { input, inputName } = card;
  const { widthPx, heightPx } = input;
  const bytesPerImage = widthPx * heightPx * 3;
  const { session } = await worker.load({ modelPath, cuts: [cut], input, inputName, threads, provider: 'cpu' });
  const output = new SharedArrayBuffer(BATCH * cut.featureDim * Float32Array.BYTES_PER_ELEMENT);
  const variants = [null, ...LEVELS];
  const out = new Float32Array(variants.length * images.count * cut.featureDim);
  try {
    for (let first = 0; first < images.count; first += BATCH) {
      const batch = Array.from({ length: Math.min(BATCH, images.count - first) }, (_, i) => first + i);
      const unchanged = await Promise.all(batch.map((image) => images.read(image, input)));
      for (const [v, variant] of variants.entries()) {
        if (signal?.aborted === true) throw new AppError('Cancelled', 'The comparison was cancelled.');
        const pixels = new SharedArrayBuffer(BATCH * bytesPerImage);
        await Promise.all(
          unchanged.map(async (data, i) => {
            const seed = images.seed(batch[i] ?? 0);
            const changed = (await variant?.shift.apply({ data, widthPx, heightPx }, variant.level, seed)) ?? data;
            new Uint8Array(pixels, i * bytesPerImage, bytesPerImage).set(changed);
          }),
        );
        await worker.run({ session, pixels, pixelOffset: 0, count: batch.length, output, outputOffset: 0 });
        const values = new Float32Array(output).subarray(0, batch.length * cut.featureDim);
        out.set(values, (v * images.count + first) * cut.featureDim);
      }
      onProgress?.(`Shifted images, ${card.name}`, first + batch.length, images.count, 'images');
    }
  } finally {
    await worker.release(session);
  }
  return out;
}

/** Tiles that stand for what a user may ask for; each gives a map of its own. */
const QUERIES = 8;

export const MAP_ROBUSTNESS_FORMULA =
  `Map of a tile q: cosine of every tile's features with those of q. Each of ${QUERIES} tiles q, evenly spread over those ` +
  "drawn, is taken from the slide as it is and from the changed one; the figure is the mean of Spearman's correlations of " +
  'the two maps over all other tiles. 1 = the map does not move. Tiles drawn with seed 1; our measure.';

/**
 * How far similarity maps of a slide move when all its tiles change, as another scanner, stain or cut may change them.
 *
 * @throws AppError as `patchFeatures`; SlideDamaged; Cancelled.
 */
export async function mapRobustness(
  bench: Bench,
  backbone: CompareBackbone,
  cut: CutPoint,
  slide: Pick<SlideTiles, 'name' | 'count' | 'read'>,
): Promise<MapRobustness> {
  const { count, name } = slide;
  const images = { count, read: slide.read, seed: (tile: number) => tile + 1 };
  const data = await shiftedFeatures(bench, backbone, cut, images);
  const size = count * cut.featureDim;
  const variant = (v: number) => ({ data: data.subarray(v * size, (v + 1) * size), count, dim: cut.featureDim });
  const queries = Array.from({ length: Math.min(QUERIES, count) }, (_, q) => Math.floor(((q + 0.5) * count) / QUERIES));
  const mapsOf = (v: number) => queries.map((query) => similarityToTile(variant(v), query));
  const unchanged = mapsOf(0);
  const shifts = LEVELS.map(({ shift, level }, v) => {
    const agreement = mean(
      mapsOf(v + 1).map((map, q) => {
        const others = (values: Float64Array) => values.filter((_, tile) => tile !== queries[q]);
        return spearman(others(unchanged[q] ?? new Float64Array()), others(map));
      }),
    );
    return {
      shift: shift.name,
      unit: shift.unit,
      level,
      rankCorrelation: Number.isFinite(agreement) ? agreement : null,
    };
  });
  return {
    slide: name,
    backbone: backbone.card.name,
    cut: cut.name,
    tiles: count,
    formula: MAP_ROBUSTNESS_FORMULA,
    shifts,
  };
}
