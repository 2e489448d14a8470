import type { Comparison, TaskComparison } from '../../../src-shared/model/comparison.ts';
import { whatMayBeClaimed } from '../study/claims.ts';
import { compareByRanks } from '../study/significance.ts';
import type { CompareRequest, Judged, ReadyRequest } from './compare-request.ts';
import { type CompareBackbone, checkContenders, randomTwinsOf } from './contenders.ts';
import { formulasOf } from './formulas.ts';
import { ckaSample, similarities } from './layer-similarity.ts';
import { type Bench, type NetworkScores, type PartedTask, scoreNetwork } from './network-scores.ts';
import { correctPairs } from './pairs.ts';
import { measureMsPerImage } from './patch-features.ts';
import { ProbePool } from './probe-pool.ts';
import { mapsOf, robustnessOf } from './shifted.ts';
import { taskParts } from './task-parts.ts';
import { type TaskTable, taskComparison } from './task-table.ts';

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

async function compareWith(request: ReadyRequest): Promise<Comparison> {
  const startedMs = performance.now();
  const tasks = request.tasks.map((task): PartedTask => ({ task, parts: taskParts(task, request.seeds) }));
  const sample = ckaSample(tasks, request.ckaImages);
  const judged: Judged[] = [];
  for (const backbone of request.backbones) judged.push(await judge(request, backbone, tasks, sample));
  const made: TaskTable[] = [];
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
  { bench: given, probe, standardise, twinSeeds, twinsFolder }: ReadyRequest,
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
