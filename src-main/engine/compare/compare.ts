import type {
  BackboneScore,
  CkaMatrix,
  Comparison,
  ControlScore,
  FineTuneChange,
  MapRobustness,
  RobustnessCurve,
  TaskComparison,
} from '../../../src-shared/model/comparison.ts';
import { seededRandom, shuffledIndices } from '../../../src-shared/numeric/random.ts';
import { mean } from '../../../src-shared/numeric/statistics.ts';
import { whatMayBeClaimed } from '../study/claims.ts';
import { KNOWLEDGE_GAIN_FORMULA } from '../study/knowledge-gain.ts';
import { compareByRanks } from '../study/significance.ts';
import { type BackboneOnTask, backboneScore } from './backbone-score.ts';
import { type CkaLayer, ckaMatrix, fineTuneChange } from './cka-matrix.ts';
import { type Contestant, pairAlarms, taskAlarm } from './confound.ts';
import { contaminationNote, sharedSet } from './contamination.ts';
import { type CompareBackbone, checkContenders, fineTunedFrom, randomTwinsOf } from './contenders.ts';
import { CONTROLS, scoreControl } from './controls.ts';
import { type Bench, type NetworkScores, type PartedTask, scoreNetwork, uniqueImages } from './network-scores.ts';
import { comparePairs, correctPairs, type UncorrectedPair } from './pairs.ts';
import { measureMsPerImage } from './patch-features.ts';
import type { PatchTask, SkippedTask } from './patch-task.ts';
import { INNER_FOLDS, type ProbeKind } from './probe-part.ts';
import { ProbePool } from './probe-pool.ts';
import { mapRobustness, robustnessCurve } from './robustness.ts';
import { chanceOf, chosenInTraining, metricOf, scoreInterval, type TaskScore } from './score-task.ts';
import type { SlideTiles } from './slide-tiles.ts';
import { OUTER_FOLDS, taskParts, testedImages } from './task-parts.ts';

export interface CompareRequest {
  readonly tasks: readonly PatchTask[];
  readonly skipped: readonly SkippedTask[];
  readonly backbones: readonly CompareBackbone[];
  readonly probe: ProbeKind;
  /**
   * True: zero mean and unit variance learnt on each training part, so that the range of C fits every network, random
   * ones with tiny activations too. False: features as they are, as the papers take them.
   */
  readonly standardise: boolean;
  readonly seeds: readonly number[];
  /** One random twin of each trained backbone per seed; three or more make a standard deviation worth having. */
  readonly twinSeeds: readonly number[];
  readonly resamples: number;
  /** How much worse than the best the sweet spot may be. */
  readonly tolerance: number;
  /** Images of all tasks that CKA is computed on, at most; 0 = no CKA. */
  readonly ckaImages: number;
  /** Test images of a task that robustness is measured on, at most; 0 = it is not measured. */
  readonly robustnessImages: number;
  /** Slides whose maps are put under the same shifts, tiles drawn by the caller; none = it is not measured. */
  readonly slides?: readonly Pick<SlideTiles, 'name' | 'count' | 'read'>[] | undefined;
  /** Where the files of the random twins are kept. */
  readonly twinsFolder: string;
  readonly bench: Omit<Bench, 'settings' | 'probes'>;
  /** Told what stands behind a task's table: every judgement on every image, once per task. */
  readonly onJudged?: ((judged: JudgedTask) => void) | undefined;
}

/** A task with the judgements of every backbone, cut by cut and at the cut chosen in training (`chosen`). */
export interface JudgedTask {
  readonly task: PatchTask;
  readonly scores: readonly { readonly backbone: string; readonly cut: string; readonly score: TaskScore }[];
}

/** Everything known of one backbone, before tables are made of it. */
interface Judged {
  readonly backbone: CompareBackbone;
  readonly own: NetworkScores;
  readonly twins: readonly NetworkScores[];
  readonly msPerImage: readonly number[];
}

/**
 * Judges backbones cut by cut on patch tasks: the same parts and probe for every cut, every random twin and every
 * control; all choices (C, cut) made inside training parts; pairs tested and corrected together. Sources: Mormont et
 * al. 2021 (probe, metrics, ranks), Li and Plataniotis 2020 (random twins), Demsar 2006 (ranks).
 *
 * @throws AppError InvalidRequest, FileUnreadable, BackboneUnreadable, BackboneFailed, DeviceFailed, DiskFull, Cancelled.
 */
export async function compareBackbones(request: CompareRequest): Promise<Comparison> {
  checkContenders(request.backbones);
  const { signal, threads } = request.bench;
  const probes = new ProbePool(threads);
  // Probes that are under way or wait are given up at once.
  const stop = (): void => void probes.close();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    return await compareWith({ ...request, bench: { ...request.bench, probes } });
  } finally {
    signal?.removeEventListener('abort', stop);
    await probes.close();
  }
}

/** A request with the threads its probes are fitted on. */
type Ready = Omit<CompareRequest, 'bench'> & { readonly bench: Omit<Bench, 'settings'> };

async function compareWith(request: Ready): Promise<Comparison> {
  const startedMs = performance.now();
  const tasks = request.tasks.map((task): PartedTask => ({ task, parts: taskParts(task, request.seeds) }));
  const sample = ckaSample(tasks, request.ckaImages);
  const judged: Judged[] = [];
  for (const backbone of request.backbones) judged.push(await judge(request, backbone, tasks, sample));
  const made: Awaited<ReturnType<typeof taskComparison>>[] = [];
  for (const [t, parted] of tasks.entries()) made.push(await taskComparison(request, parted, t, judged));
  const verdicts = correctPairs(made.flatMap(({ pairs }) => pairs));
  let next = 0;
  const compared: TaskComparison[] = [];
  for (const [t, { table, pairs }] of made.entries()) {
    const own = verdicts.slice(next, next + pairs.length);
    next += pairs.length;
    const robustness = await robustnessOf(request, tasks[t], table.backbones);
    compared.push({ ...table, pairs: own, robustness });
  }
  return {
    probe: request.probe,
    seeds: request.seeds,
    twinSeeds: request.twinSeeds,
    resamples: request.resamples,
    tolerance: request.tolerance,
    formulas: formulasOf(request),
    backbones: request.backbones.map(({ card }) => ({
      name: card.name,
      sha256: card.id,
      architecture: card.architecture,
      origin: card.origin,
      method: card.method,
      assumed: card.assumed,
    })),
    tasks: compared,
    skipped: request.skipped,
    ranks: ranksOf(compared),
    mapRobustness: await mapsOf(request),
    claims: whatMayBeClaimed(request.backbones.map(({ card }) => card)),
    ...(await similarities(request, judged, sample)),
    seconds: (performance.now() - startedMs) / 1000,
  };
}

async function judge(
  { bench: given, probe, standardise, twinSeeds, twinsFolder }: Ready,
  backbone: CompareBackbone,
  tasks: readonly PartedTask[],
  sample: readonly string[],
): Promise<Judged> {
  const bench: Bench = { ...given, settings: { kind: probe, standardise } };
  const own = await scoreNetwork(bench, backbone, tasks, sample);
  const msPerImage: number[] = [];
  for (const cut of backbone.cuts) {
    msPerImage.push(await measureMsPerImage(bench.worker, backbone.modelPath, backbone.card, cut, bench.threads));
  }
  const seeds = backbone.card.origin === 'random' ? [] : twinSeeds;
  const networks = await randomTwinsOf(backbone, seeds, twinsFolder, bench.worker);
  const twins: NetworkScores[] = [];
  for (const twin of networks) twins.push(await scoreNetwork(bench, twin, tasks, []));
  return { backbone, own, twins, msPerImage };
}

async function taskComparison(
  request: Ready,
  { task, parts }: PartedTask,
  t: number,
  judged: readonly Judged[],
): Promise<{ table: Omit<TaskComparison, 'pairs' | 'robustness'>; pairs: readonly UncorrectedPair[] }> {
  const { resamples, tolerance, seeds } = request;
  const tested = testedImages(parts);
  const options = { seed: seeds[0] ?? 1, resamples };
  const onTask = judged.map(
    ({ backbone, own, twins, msPerImage }): BackboneOnTask => ({
      name: backbone.card.name,
      cuts: backbone.cuts,
      msPerImage,
      scores: own.scores[t] ?? [],
      twins: twins.map(({ scores }) => scores[t] ?? []),
    }),
  );
  const intervalOf = (score: TaskScore) => scoreInterval(task, score, tested, options);
  const backbones = onTask.map((of) => backboneScore(task, of, intervalOf, tolerance));
  const controls = await Promise.all(
    CONTROLS.map(async ({ name, features }): Promise<Contestant> => {
      return { name, scores: [await scoreControl(request.bench.probes, task, parts, features(task))] };
    }),
  );
  const chosen = onTask.map(({ scores }) => chosenInTraining(task, scores).score);
  request.onJudged?.({
    task,
    scores: onTask.flatMap(({ name, cuts, scores }, i) =>
      [...cuts.map(({ name: cut }, c) => ({ cut, score: scores[c] })), { cut: 'chosen', score: chosen[i] }].flatMap(
        ({ cut, score }) => (score === undefined ? [] : [{ backbone: name, cut, score }]),
      ),
    ),
  });
  const trained = judged.map(({ backbone }) => backbone.card.origin !== 'random');
  const randoms = randomContestants(task, onTask, chosen, trained);
  const contenders = onTask.map(({ name }, i) => ({
    name,
    scores: [chosen[i]].filter((score) => score !== undefined),
  }));
  const table = {
    task: task.name,
    classes: task.classes,
    images: task.images.length,
    groups: task.grouped ? new Set(task.images.map(({ group }) => group)).size : null,
    metric: metricOf(task),
    chance: chanceOf(task, parts),
    split: splitText(task, parts.length / seeds.length, seeds),
    notes: [...task.notes, ...contaminations(task, judged)],
    backbones,
    controls: [...controls, ...randoms].map(({ name, scores }) => ({
      name,
      score: mean(scores.map(({ score }) => score)),
    })),
  };
  const alarm = wholeAlarm(table, backbones, trained);
  const pairwise = pairAlarms(
    task,
    contenders.filter((_, i) => trained[i]),
    [...controls, ...randoms],
  );
  const scored = judged.map(({ backbone: { card } }, i) => ({
    contender: { name: card.name, architecture: card.architecture, origin: card.origin },
    score: chosen[i] as TaskScore,
  }));
  const pairs = comparePairs(task, scored, tested, options);
  return { table: { ...table, confounds: [...(alarm === null ? [] : [alarm]), ...pairwise] }, pairs };
}

function contaminations(task: PatchTask, judged: readonly Judged[]): readonly string[] {
  return judged.flatMap(({ backbone: { card } }) => {
    const set = sharedSet(task.name, card);
    return set === null ? [] : [contaminationNote(card.name, set)];
  });
}

/** Every backbone at the cut it chose most often in training. */
async function robustnessOf(
  { bench: given, probe, standardise, backbones, robustnessImages }: Ready,
  parted: PartedTask | undefined,
  scores: readonly BackboneScore[],
): Promise<readonly RobustnessCurve[]> {
  if (robustnessImages === 0 || parted === undefined) return [];
  const bench: Bench = { ...given, settings: { kind: probe, standardise } };
  const curves: RobustnessCurve[] = [];
  for (const [b, backbone] of backbones.entries()) {
    const times = scores[b]?.timesChosen ?? {};
    const [first, ...others] = backbone.cuts;
    if (first === undefined) continue;
    const cut = others.reduce((top, it) => ((times[it.name] ?? 0) > (times[top.name] ?? 0) ? it : top), first);
    const curve = await robustnessCurve(bench, backbone, cut, parted, robustnessImages);
    if (curve !== null) curves.push(curve);
  }
  return curves;
}

/** Every backbone at its last cut: what a map is made of where none is chosen. */
async function mapsOf({ bench: given, probe, standardise, backbones, slides = [] }: Ready): Promise<MapRobustness[]> {
  const bench: Bench = { ...given, settings: { kind: probe, standardise } };
  const maps: MapRobustness[] = [];
  for (const slide of slides) {
    for (const backbone of backbones) {
      const cut = backbone.cuts.at(-1);
      if (cut !== undefined) maps.push(await mapRobustness(bench, backbone, cut, slide));
    }
  }
  return maps;
}

/** The twins of each trained backbone together, and every backbone that is itself random. */
function randomContestants(
  task: PatchTask,
  onTask: readonly BackboneOnTask[],
  chosen: readonly TaskScore[],
  trained: readonly boolean[],
): readonly Contestant[] {
  return onTask.flatMap(({ name, twins }, i): Contestant[] => {
    const own = chosen[i];
    if (trained[i] !== true) return own === undefined ? [] : [{ name, scores: [own] }];
    if (twins.length === 0) return [];
    return [{ name: `random twins of ${name}`, scores: twins.map((twin) => chosenInTraining(task, twin).score) }];
  });
}

function wholeAlarm(
  { metric, chance, controls }: Pick<TaskComparison, 'metric' | 'chance' | 'controls'>,
  backbones: readonly BackboneScore[],
  trained: readonly boolean[],
): ReturnType<typeof taskAlarm> {
  const candidates = backbones.filter((_, i) => trained[i]);
  const [first, ...others] = candidates;
  if (first === undefined) return null;
  const best = others.reduce((top, it) => (it.chosen.score > top.chosen.score ? it : top), first);
  const { score, low } = best.chosen;
  return taskAlarm(metric, chance, { backbone: best.backbone, score, low }, controls as readonly ControlScore[]);
}

function splitText(task: PatchTask, partsPerSeed: number, seeds: readonly number[]): string {
  const kept = task.grouped ? 'groups kept whole' : 'by image';
  if (task.heldOut) {
    const train = task.images.filter(({ part }) => part === 'train').length;
    return `its own held-out part: ${train} for training, ${task.images.length - train} for testing`;
  }
  return `${partsPerSeed}-fold cross-validation, ${kept}, seed${seeds.length > 1 ? 's' : ''} ${seeds.join(', ')}`;
}

function formulasOf({ probe, standardise, seeds, twinSeeds, resamples }: Ready): readonly string[] {
  const probes = {
    svm: 'linear SVM (L2, squared hinge), C from 1e-10 to 1 in powers of ten',
    logistic: 'multinomial logistic regression (L2), C from 1e-10 to 1 in powers of ten',
    knn: 'nearest neighbours by cosine similarity, k of 1, 5 and 20',
  };
  const scale = standardise ? 'features standardised by the training part' : 'features as they are';
  return [
    `Probe: ${probes[probe]}, ${scale}; chosen by ${INNER_FOLDS}-fold cross-validation inside the training part, groups kept whole.`,
    `Score: AUC for two classes, accuracy for more; mean over folds (${OUTER_FOLDS}, or the task's own held-out part), then over seeds ${seeds.join(', ')}.`,
    `Intervals: 95 % percentile bootstrap over groups, ${resamples} resamples, seed ${seeds[0] ?? 1}.`,
    `Knowledge gain: ${KNOWLEDGE_GAIN_FORMULA}, random twins with seeds ${twinSeeds.join(', ')}, BatchNorm at its defaults: our operationalisation of Li and Plataniotis 2020.`,
    'Chosen cut: for every part the cut with the best inner score, so that no test image takes part in the choice.',
  ];
}

function ranksOf(tasks: readonly TaskComparison[]): Comparison['ranks'] {
  const methods = tasks[0]?.backbones.length ?? 0;
  if (tasks.length < 2 || methods < 2) return null;
  const found = compareByRanks(tasks.map(({ backbones }) => backbones.map(({ chosen }) => chosen.score)));
  return {
    average: found.averageRanks,
    friedmanP: found.pValue,
    criticalDifference: tasks.length >= 5 ? found.criticalDifference : null,
  };
}

/** Hashes of images drawn from all tasks, the same for every backbone. */
function ckaSample(tasks: readonly PartedTask[], most: number): readonly string[] {
  const hashes = uniqueImages(tasks).map(({ sha256 }) => sha256);
  const order = [...shuffledIndices(hashes.length, seededRandom(1))].slice(0, most);
  return order.map((i) => hashes[i] ?? '');
}

/** CKA between all cuts, and what of it says how far fine-tuning moved a backbone. */
async function similarities(
  { bench: { worker, threads, signal, onProgress } }: Ready,
  judged: readonly Judged[],
  sample: readonly string[],
): Promise<{ cka: CkaMatrix | null; fineTuned: readonly FineTuneChange[] }> {
  const layers = judged.flatMap(({ backbone, own }) =>
    backbone.cuts.flatMap((cut, c): CkaLayer[] => {
      const samples = own.kept[c];
      return samples === undefined ? [] : [{ name: `${backbone.card.name}@${cut.name}`, samples }];
    }),
  );
  if (sample.length < 4 || layers.length < 2) return { cka: null, fineTuned: [] };
  const cka = await ckaMatrix(layers, {
    ...{ worker, threads, signal },
    onProgress: (done, total) => onProgress?.('CKA between all cuts', done, total),
  });
  const cards = judged.map(({ backbone }) => backbone.card);
  const fineTuned = cards.flatMap((card) => {
    const origin = fineTunedFrom(card, cards);
    return origin === null ? [] : [fineTuneChange(cka, origin.name, card.name)];
  });
  return { cka, fineTuned };
}
