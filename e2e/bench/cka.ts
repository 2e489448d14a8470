import { ckaMatrix } from '../../src-main/engine/compare/cka-matrix.ts';
import { InferenceWorker } from '../../src-main/engine/infer/inference-worker.ts';
import { nextGaussian, seededRandom } from '../../src-shared/numeric/random.ts';

const TILES = 5000;
/** Widths of the cuts of ResNet18 and DenseNet121, the deep ones twice: 20 layers. */
const WIDTHS = [64, 64, 128, 256, 512, 64, 256, 128, 512, 256, 1024, 512, 1024, 1024, 64, 128, 256, 512, 1024, 1024];
/** What the comparison promises, on two cores. */
const PROMISED_S = 30;

/** CKA of 5,000 tiles at 20 layers, linear and Gaussian, biased and unbiased, all pairs. */
export async function bench(): Promise<void> {
  const random = seededRandom(1);
  const common = Float32Array.from({ length: TILES * 64 }, () => nextGaussian(random));
  const layers = WIDTHS.map((dim, l) => {
    const data = new Float32Array(TILES * dim);
    for (let at = 0; at < data.length; at++) {
      const row = Math.floor(at / dim);
      data[at] = Math.max(0, (common[row * 64 + (at % 64)] ?? 0) + 0.5 * random());
    }
    return { name: `layer ${l} (${dim})`, samples: { data, count: TILES, dim } };
  });
  const worker = new InferenceWorker();
  try {
    for (let run = 0; run < 3; run++) {
      const startedMs = performance.now();
      const { unbiased } = await ckaMatrix(layers, { worker, threads: 0 });
      const seconds = (performance.now() - startedMs) / 1000;
      const known = unbiased.flat().every((value) => Number.isFinite(value));
      const verdict = known && seconds < PROMISED_S ? 'kept' : 'NOT KEPT';
      console.log(
        `${TILES} tiles x ${WIDTHS.length} layers: ${seconds.toFixed(1)} s (promised ${PROMISED_S} s: ${verdict})`,
      );
    }
  } finally {
    await worker.close();
  }
}
