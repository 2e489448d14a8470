import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEngine } from '../../src-main/engine/create-engine.ts';
import { resizeToInput } from '../../src-main/engine/infer/fit-input.ts';
import { InferenceWorker } from '../../src-main/engine/infer/inference-worker.ts';
import { featureMoments } from '../../src-main/engine/learn/feature-moments.ts';
import type { RgbImage } from '../../src-main/engine/slide/slide-source.ts';
import { plannedSplits } from '../../src-main/engine/study/plan-splits.ts';
import { compareWithTraining, describeTraining, vectorOf } from '../../src-main/engine/study/slide-typicality.ts';
import { realDataFolder } from '../../src-main/engine/testing/real-data.ts';
import type { BackboneCard, CutPoint } from '../../src-shared/model/backbone.ts';
import { seededRandom } from '../../src-shared/numeric/random.ts';
import { setStain, slideChanges } from './unlike-changes.ts';
import { appearanceOf, type Cohort, readCohorts, readImages, squares } from './unlike-cohorts.ts';

/** Slides of a study, and how often one is drawn from a cohort. */
const STUDY_SLIDES = 60;
const DRAWS = 20;
/** Slides of a cohort that are changed, evenly over it, and images its stain is fitted to. */
const CHANGED = Number(process.env.BENCH_CHANGED ?? 0) || 30;
const FITTED_IMAGES = 20;
const TILE_PX = 224;
const BATCH = 16;

/** File below `weights/`, with what its card says of the input. */
const NETWORKS = [
  {
    name: 'ShuffleNet 32 px',
    file: 'heartfirey_shufflenet_lc25000/heartfirey_shufflenet_lc25000.onnx',
    input: { scale: 1, mean: [0, 0, 0], std: [1, 1, 1] },
  },
  {
    name: 'ShuffleNet 224 px',
    file: 'jnkather_shufflenet_msi/jnkather_shufflenet_msi.onnx',
    input: { scale: 1, mean: [178.671, 121.367, 158.072], std: [53.553, 71.948, 56.921] },
  },
  {
    name: 'MobileNetV2 224 px',
    file: 'mobilenetv2_imagenet_tf_dequant/mobilenetv2_imagenet_tf_dequant.onnx',
    input: { scale: 0.00784313725490196, mean: [1, 1, 1], std: [1, 1, 1] },
  },
] as const;

/** Names of networks to take, separated by commas; nothing = pixels alone. */
const ONLY = process.env.HYALINE_BENCH_NETWORKS?.split(',');

/** Features of the tiles of a slide, as mean and spread. */
export interface Network {
  readonly name: string;
  readonly featureDim: number;
  moments(tiles: readonly RgbImage[]): Promise<Float64Array>;
}

/** A slide as it is, or changed: its pixels, and the moments of its features by each network. */
export interface Look {
  readonly appearance: Float64Array;
  readonly moments: readonly Float64Array[];
}

export interface MeasuredSlide {
  readonly patient: string;
  readonly untouched: Look;
  /** By the name of the change; empty for slides that are not changed. */
  readonly changed: Readonly<Record<string, Look>>;
}

/** Share of slides that are warned of, by change; '' = untouched. */
export type Warned = ReadonlyMap<string, { readonly share: number; readonly slides: number }>;

/**
 * How often slides are told to lie outside the training data: untouched ones of patients the study never had, and the
 * same blurred, compressed or re-stained. Slides are made of public images (see `readCohorts`), measured as the
 * application does.
 */
export async function bench(): Promise<void> {
  const data = realDataFolder();
  if (data === null) {
    console.log('  skipped: there is no folder of real data (HYALINE_DATA)');
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), 'hyaline-unlike-'));
  try {
    await withNetworks(join(data, 'weights'), folder, async (networks) => {
      const cohorts = readCohorts(join(data, 'patches'));
      for (const cohort of cohorts) {
        const slides = await measureCohort(cohort, cohorts, networks, join(folder, 'slide.tif'));
        console.log(`\n  ${cohort.name} (${cohort.says}): ${slides.length} slides, ${STUDY_SLIDES} of them a study's`);
        printTable([
          ['without a network', judge(slides, -1, 1)],
          ...networks.map((network, n): [string, Warned] => [network.name, judge(slides, n, network.featureDim)]),
        ]);
      }
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Measures all slides of a cohort, and some of them changed in every way. */
export async function measureCohort(
  cohort: Cohort,
  cohorts: readonly Cohort[],
  networks: readonly Network[],
  file: string,
): Promise<readonly MeasuredSlide[]> {
  const stains = await Promise.all(cohorts.map(async ({ name, slides }) => setStain(name, await someImages(slides))));
  const own = stains.find(({ name }) => name === cohort.name);
  if (own === undefined) throw new Error('the cohort is none of the cohorts');
  const changes = slideChanges(
    own,
    stains.filter((stain) => stain !== own),
  );
  const look = async (images: readonly RgbImage[]): Promise<Look> => {
    const tiles = images.flatMap((image) => (image.widthPx < 2 * TILE_PX ? [image] : squares(image, TILE_PX, 3, 2)));
    const moments: Float64Array[] = [];
    for (const network of networks) moments.push(await network.moments(tiles));
    return { appearance: await appearanceOf(images, file), moments };
  };
  const measured: MeasuredSlide[] = [];
  const step = Math.max(1, Math.floor(cohort.slides.length / CHANGED));
  for (const [i, slide] of cohort.slides.entries()) {
    const images = await readImages(slide);
    const changed: Record<string, Look> = {};
    if (i % step === 0) for (const change of changes) changed[change.name] = await look(await change.apply(images));
    measured.push({ patient: slide.patient, untouched: await look(images), changed });
  }
  return measured;
}

async function someImages(slides: Cohort['slides']): Promise<readonly RgbImage[]> {
  const step = Math.ceil(slides.length / FITTED_IMAGES);
  const some = slides.filter((_, i) => i % step === 0).map(({ paths }) => ({ paths: paths.slice(0, 1), patient: '' }));
  return (await Promise.all(some.map(readImages))).flat();
}

/**
 * Draws studies of whole patients again and again and asks about the slides of the others.
 * @param network whose features are compared too; -1 = one feature that is chance, so that pixels alone tell.
 */
export function judge(
  slides: readonly MeasuredSlide[],
  network: number,
  featureDim: number,
  studySlides = STUDY_SLIDES,
): Warned {
  const random = seededRandom(7);
  const chance = (): Float64Array => Float64Array.of(random(), 1 + random());
  const vector = (look: Look): Float64Array => vectorOf(look.moments[network] ?? chance(), look.appearance);
  const tally = new Map<string, { share: number; slides: number }>();
  const count = (name: string, unlike: boolean): void => {
    const so = tally.get(name) ?? { share: 0, slides: 0 };
    tally.set(name, { share: (so.share * so.slides + Number(unlike)) / (so.slides + 1), slides: so.slides + 1 });
  };
  for (let draw = 0; draw < DRAWS; draw++) {
    const patients = [...new Set(slides.map(({ patient }) => patient))]
      .map((patient) => ({ patient, at: random() }))
      .sort((a, b) => a.at - b.at);
    const order = patients.flatMap(({ patient }) => slides.filter((slide) => slide.patient === patient));
    const study = order.slice(0, studySlides);
    const known = new Set(study.map(({ patient }) => patient));
    // Labels take no part: slides carry two in turn, and there are no more folds than patients of either.
    const cases = study.map(({ patient }, i) => ({ id: `${i}`, label: i % 2 === 0 ? 'a' : 'b', group: patient }));
    const patientsOf = (label: string): number =>
      new Set(cases.filter((one) => one.label === label).map(({ group }) => group)).size;
    const folds = Math.min(5, patientsOf('a'), patientsOf('b'));
    const { splits } = plannedSplits(cases, {
      ...{ splitting: { kind: 'folds', folds, repeats: 1 }, groupBy: 'patient' },
      splitSeed: draw,
    });
    const training = describeTraining(
      study.map(({ untouched }) => vector(untouched)),
      splits,
      featureDim,
    );
    if (training === null) throw new Error('too few slides');
    const asked = (look: Look): boolean => compareWithTraining(training, vector(look)).unlike;
    for (const slide of order.filter(({ patient }) => !known.has(patient))) {
      count('', asked(slide.untouched));
      for (const [name, look] of Object.entries(slide.changed)) count(name, asked(look));
    }
  }
  return tally;
}

async function withNetworks(
  weights: string,
  folder: string,
  use: (networks: readonly Network[]) => Promise<void>,
): Promise<void> {
  const engine = await createEngine({
    ...{ storeFolder: join(folder, 'store'), resourcesFolder: folder, host: 'cli', threads: 0 },
  });
  const worker = new InferenceWorker();
  try {
    const networks: Network[] = [];
    for (const { name, file, input } of NETWORKS) {
      if (ONLY !== undefined && !ONLY.includes(name)) continue;
      const path = join(weights, file);
      const card = await engine.api.importBackbone(engine.grant(path), { name, input });
      networks.push(await openNetwork(worker, path, card));
    }
    await use(networks);
  } finally {
    await worker.close();
    await engine.close();
  }
}

async function openNetwork(worker: InferenceWorker, modelPath: string, card: BackboneCard): Promise<Network> {
  const { name, input, inputName } = card;
  const cut = card.cuts.at(-1) as CutPoint;
  const { featureDim } = cut;
  const { session } = await worker.load({ modelPath, cuts: [cut], input, inputName, threads: 0, provider: 'cpu' });
  const bytesPerTile = input.widthPx * input.heightPx * 3;
  const pixels = new SharedArrayBuffer(BATCH * bytesPerTile);
  const output = new SharedArrayBuffer(BATCH * featureDim * Float32Array.BYTES_PER_ELEMENT);
  return {
    name,
    featureDim,
    moments: async (tiles) => {
      const features = new Float32Array(tiles.length * featureDim);
      for (let first = 0; first < tiles.length; first += BATCH) {
        const batch = tiles.slice(first, first + BATCH);
        batch.forEach(({ data, widthPx, heightPx }, i) => {
          new Uint8Array(pixels).set(resizeToInput(data, widthPx, heightPx, input), i * bytesPerTile);
        });
        await worker.run({ session, pixels, pixelOffset: 0, count: batch.length, output, outputOffset: 0 });
        features.set(new Float32Array(output, 0, batch.length * featureDim), first * featureDim);
      }
      return featureMoments(features, featureDim);
    },
  };
}

function printTable(columns: readonly (readonly [string, Warned])[]): void {
  const rows = [...(columns[0]?.[1].keys() ?? [])];
  console.log(`  ${''.padEnd(24)}${columns.map(([name]) => name.padStart(20)).join('')}`);
  for (const row of rows) {
    const shares = columns.map(([, warned]) =>
      `${Math.round(100 * (warned.get(row)?.share ?? Number.NaN))} %`.padStart(20),
    );
    console.log(`  ${(row || 'untouched').padEnd(24)}${shares.join('')}`);
  }
}
