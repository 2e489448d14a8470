import type { BackboneScore, ControlScore, TaskComparison } from '../../../src-shared/model/comparison.ts';
import { mean } from '../../../src-shared/numeric/statistics.ts';
import { type BackboneOnTask, backboneScore } from './backbone-score.ts';
import type { Judged, ReadyRequest } from './compare-request.ts';
import { type Contestant, pairAlarms, taskAlarm } from './confound.ts';
import { contaminationNote, sharedSet } from './contamination.ts';
import { CONTROLS, scoreControl } from './controls.ts';
import type { PartedTask } from './network-scores.ts';
import { comparePairs, type UncorrectedPair } from './pairs.ts';
import type { PatchTask } from './patch-task.ts';
import { chanceOf, chosenInTraining, metricOf, scoreInterval, type TaskScore } from './score-task.ts';
import { testedImages } from './task-parts.ts';

/** A task's table before what is done over all tasks: corrected pairs, and curves under shifts. */
export interface TaskTable {
  readonly table: Omit<TaskComparison, 'pairs' | 'robustness'>;
  readonly pairs: readonly UncorrectedPair[];
}

/** The table of one task: every backbone and cut with its interval, controls, alarms, and pairs still to be corrected. */
export async function taskComparison(
  request: ReadyRequest,
  { task, parts }: PartedTask,
  t: number,
  judged: readonly Judged[],
): Promise<TaskTable> {
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
