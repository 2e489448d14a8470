import { AppError } from '../../../src-shared/errors.ts';
import type { CutPoint } from '../../../src-shared/model/backbone.ts';
import type { RobustnessCurve, ShiftedScore } from '../../../src-shared/model/comparison.ts';
import { seededRandom, shuffledIndices } from '../../../src-shared/numeric/random.ts';
import { mean, spearman } from '../../../src-shared/numeric/statistics.ts';
import { readImage } from '../infer/image-features.ts';
import { rowsOf } from '../study/linear-model.ts';
import type { CompareBackbone } from './contenders.ts';
import { IMAGE_SHIFTS } from './image-shifts.ts';
import type { Bench, PartedTask } from './network-scores.ts';
import { patchFeatures } from './patch-features.ts';
import { partScore } from './probe-part.ts';
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
  const variants = IMAGE_SHIFTS.flatMap(({ name, unit, levels }) => levels.map((level) => ({ name, unit, level })));
  const shifted = await shiftedFeatures(bench, backbone, cut, task, chosen);
  // One set of rows: training images, then the chosen ones unchanged, then once for every variant.
  const rows = [...part.train, ...chosen];
  const data = new Float32Array((rows.length + variants.length * chosen.length) * cut.featureDim);
  data.set(rowsOf(clean, rows).data);
  data.set(shifted, rows.length * cut.featureDim);
  const imageOf = [...rows, ...variants.flatMap(() => chosen)];
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

/** Features of the chosen images under every shift and level, variant by variant. */
async function shiftedFeatures(
  { worker, threads, signal, onProgress }: Bench,
  { card, modelPath }: CompareBackbone,
  cut: CutPoint,
  task: PartedTask['task'],
  chosen: readonly number[],
): Promise<Float32Array> {
  const { input, inputName } = card;
  const { widthPx, heightPx } = input;
  const bytesPerImage = widthPx * heightPx * 3;
  const { session } = await worker.load({ modelPath, cuts: [cut], input, inputName, threads, provider: 'cpu' });
  const output = new SharedArrayBuffer(BATCH * cut.featureDim * Float32Array.BYTES_PER_ELEMENT);
  const levels = IMAGE_SHIFTS.flatMap((shift) => shift.levels.map((level) => ({ shift, level })));
  const out = new Float32Array(levels.length * chosen.length * cut.featureDim);
  try {
    for (let first = 0; first < chosen.length; first += BATCH) {
      const batch = chosen.slice(first, first + BATCH);
      const images = await Promise.all(batch.map((image) => readImage(task.images[image]?.path ?? '', input)));
      for (const [v, { shift, level }] of levels.entries()) {
        if (signal?.aborted === true) throw new AppError('Cancelled', 'The comparison was cancelled.');
        const pixels = new SharedArrayBuffer(BATCH * bytesPerImage);
        await Promise.all(
          images.map(async (data, i) => {
            const changed = await shift.apply({ data, widthPx, heightPx }, level, (batch[i] ?? 0) + 1);
            new Uint8Array(pixels, i * bytesPerImage, bytesPerImage).set(changed);
          }),
        );
        await worker.run({ session, pixels, pixelOffset: 0, count: batch.length, output, outputOffset: 0 });
        const values = new Float32Array(output).subarray(0, batch.length * cut.featureDim);
        out.set(values, (v * chosen.length + first) * cut.featureDim);
      }
      onProgress?.(`Shifted images, ${card.name}`, first + batch.length, chosen.length);
    }
  } finally {
    await worker.release(session);
  }
  return out;
}
