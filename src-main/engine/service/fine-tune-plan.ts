import { AppError } from '../../../src-shared/errors.ts';
import type { BackboneCard, CutPoint } from '../../../src-shared/model/backbone.ts';
import type { FineTuneRequest, FineTuningRecord } from '../../../src-shared/model/fine-tune.ts';
import type { StudyId } from '../../../src-shared/model/ids.ts';
import type { Study, StudyOutcome, StudyPlan, StudySplit } from '../../../src-shared/model/study.ts';
import type { HeadWeights } from '../learn/evaluate-head.ts';
import type { FineTuneFile } from '../learn/fine-tune/fine-tune-file.ts';
import { attentionWidth, type HeadSpec } from '../learn/head-spec.ts';
import type { UsableBackbone } from './backbones.ts';
import { slidesOf } from './tuned-leak.ts';

export type TrainedStudy = Study & { readonly outcome: StudyOutcome };

/** Tiles of 224 px that go through a network at once: what a machine with 8 GB holds of a ResNet50, both ways. */
const TILES_AT_ONCE = 8;
const PIXELS_AT_ONCE = TILES_AT_ONCE * 224 * 224;

/** Tiles that go through a network at once, by the size of its input. */
export function tilesAtOnce({ input }: BackboneCard): number {
  return Math.max(1, Math.round(PIXELS_AT_ONCE / (input.widthPx * input.heightPx)));
}

/** Throws InvalidRequest naming the number that cannot be. */
export function checkedRequest(request: FineTuneRequest): FineTuneRequest {
  // Jobs of earlier versions know neither.
  const { frozenUpTo = null, headRate = null } = request as Partial<FineTuneRequest>;
  const { fold, tiles, tilesPerStep, epochs, rate, seed } = request;
  const whole = (value: number, low: number, high: number): boolean =>
    Number.isInteger(value) && value >= low && value <= high;
  const refuse = (message: string): never => {
    throw new AppError('InvalidRequest', message);
  };
  if (!whole(fold, 0, 10_000)) refuse('A split is named by its number.');
  if (seed !== null && !Number.isInteger(seed)) refuse('A seed is a whole number.');
  if (!whole(tiles, 1, 100_000)) refuse('Choose at least one tile of each slide.');
  if (tilesPerStep !== null && !whole(tilesPerStep, 1, tiles)) refuse('A step takes from one to all chosen tiles.');
  if (!whole(epochs, 1, 1000)) refuse('Fine-tuning takes 1 to 1000 epochs.');
  if (!(rate >= 0 && rate <= 1)) refuse('The learning rate lies between 0 and 1.');
  if (headRate !== null && !(headRate >= 0 && headRate <= 1)) refuse("The head's learning rate lies between 0 and 1.");
  const frozen = frozenUpTo === null ? null : String(frozenUpTo);
  return { studyId: request.studyId, fold, seed, tiles, tilesPerStep, frozenUpTo: frozen, epochs, rate, headRate };
}

export function noSplit({ outcome }: TrainedStudy): AppError {
  return new AppError('InvalidRequest', 'This study has no such split.', {
    advice: `Its splits are 1 to ${outcome.splits.length}.`,
  });
}

/** The split that is learned from. Throws InvalidRequest for a study without it, without pixels or without attention. */
export function splitOf(study: TrainedStudy, fold: number): StudySplit {
  const { plan, outcome } = study;
  const split = outcome.splits[fold];
  if (split === undefined) throw noSplit(study);
  if (attentionWidth(plan.pooling) === 0) {
    throw new AppError('InvalidRequest', 'This study pools without attention, so no tiles stand out.', {
      advice: 'Train it with attention pooling first.',
    });
  }
  if (plan.rows.some(({ runId }) => runId !== null)) {
    throw new AppError('InvalidRequest', 'The features of this study were imported: there are no pixels to train on.', {
      advice: 'Make a study of the slides themselves.',
    });
  }
  return split;
}

/** Cuts that the part which stays as it is may end at: those in front of the study's cut that hold weights. */
export function freezableCuts({ card, cut }: Pick<UsableBackbone, 'card' | 'cut'>): readonly CutPoint[] {
  return card.cuts.filter(
    ({ cumulativeParameters }) => cumulativeParameters > 0 && cumulativeParameters < cut.cumulativeParameters,
  );
}

/** The last cut of what stays as it is. Throws InvalidRequest where it does not lie in front of the study's cut. */
export function frozenCut(backbone: UsableBackbone, name: string | null): CutPoint | null {
  if (name === null) return null;
  const freezable = freezableCuts(backbone);
  const found = freezable.find((cut) => cut.name === name);
  if (found !== undefined) return found;
  throw new AppError('InvalidRequest', `${backbone.card.name} cannot be kept as it is up to "${name}".`, {
    advice:
      freezable.length === 0
        ? `It has no cut with weights in front of ${backbone.cut.name}: train all of it.`
        : `Choose one of: ${freezable.map((cut) => cut.name).join(', ')}.`,
  });
}

export function recordOf(
  study: TrainedStudy,
  request: FineTuneRequest,
  seed: number,
  { card, cut }: UsableBackbone,
  { train, validation }: StudySplit,
): FineTuningRecord {
  return {
    ...{ ...request, seed, studyName: study.plan.name, from: card.id, fromName: card.name, cut: cut.name },
    ...{ trainSlides: train, validationSlides: validation },
    earlierSlides: card.tuned === undefined ? [] : slidesOf(card.tuned),
  };
}

/** The plan that a fine-tuning ends as, on the backbone it begins with: its one split, its one seed, its slides. */
export function planOf(study: TrainedStudy, tuning: FineTuningRecord, split: StudySplit): StudyPlan {
  const named = new Set([...split.train, ...split.validation, ...split.test]);
  const { basedOn: _, ...plan } = study.plan;
  return {
    ...plan,
    name: `${plan.name}, fine-tuned on split ${tuning.fold + 1}`,
    rows: plan.rows.filter(({ slideId }) => named.has(slideId)),
    splitting: { kind: 'given', from: `split ${tuning.fold + 1} of ${plan.name}`, splits: [split] },
    seeds: [tuning.seed],
    fineTuning: tuning,
  };
}

/** True where the backbone of such a study is still the one it begins with. */
export const isUntuned = ({ backboneId, fineTuning }: StudyPlan): boolean => backboneId === fineTuning?.from;

interface Surroundings {
  readonly folder: string;
  readonly resultId: StudyId;
  readonly threads: number;
}

/** Everything the training thread needs. */
export function fileOf(
  { plan, outcome }: TrainedStudy,
  record: FineTuningRecord,
  head: { readonly spec: HeadSpec; readonly weights: HeadWeights },
  backbone: UsableBackbone,
  { folder, resultId, threads }: Surroundings,
): FineTuneFile {
  const { card, cut, modelPath } = backbone;
  const { epochs, rate, headRate, tiles, tilesPerStep, fold, seed, trainSlides, frozenUpTo } = record;
  const labelOf = new Map(plan.rows.map(({ slideId, label }) => [slideId, label]));
  const counts = outcome.classes.map((name) => trainSlides.filter((id) => labelOf.get(id) === name).length);
  const balanced = counts.map((count) => trainSlides.length / (outcome.classes.length * Math.max(1, count)));
  const slides = `${trainSlides.length} slides of "${plan.name}" (split ${fold + 1}, seed ${seed})`;
  const rates = `Adam ${rate}${headRate === null || headRate === rate ? '' : ` (head ${headRate})`}`;
  const kept = frozenUpTo === null ? '' : `, unchanged up to ${frozenUpTo}`;
  const at = cut.name === card.defaultCut ? '' : `-${cut.name}`;
  return {
    ...{ modelPath, card, outPath: `${folder}/tuned.onnx` },
    tuning: {
      ...{ cut, input: card.input, inputName: card.inputName, head: head.spec, headWeights: head.weights },
      ...{ rate, headRate: headRate ?? rate, epochs, tilesPerStep, seed, threads },
      frozenUpTo: frozenCut(backbone, frozenUpTo),
      keepBestBy: plan.keepBestBy,
      classWeights: plan.balanceClasses ? balanced : outcome.classes.map(() => 1),
      tilesAtOnce: tilesAtOnce(card),
      checkpointPath: `${folder}/state`,
      checkpointKey: resultId,
    },
    described: {
      name: `${card.name}${at}-tuned-${resultId.slice(0, 8)}`,
      // It began as what the card says; only random weights are none any more once they have learned from tissue.
      origin: card.origin === 'random' ? 'histology' : card.origin,
      method: `${card.method}; then fine-tuned end to end on slide labels: ${tiles} most attended tiles of ${slides}, ${rates}, ${epochs} epochs, norms frozen${kept}`,
      source: `fine-tuned from ${card.name} (${card.id.slice(0, 12)}); its training and validation slides are no test of it`,
      trainedMpp: plan.grid.mpp,
      tuned: record,
    },
    record: { ...record },
  };
}
