import { asId, type RunId, type StudyId } from '../../../src-shared/model/ids.ts';
import type { StudyPlan, TrainedOn } from '../../../src-shared/model/study.ts';
import type { JobContext } from '../job/queue.ts';
import type { HeadSpec } from '../learn/head-spec.ts';
import type { EpochRecord } from '../learn/train-head.ts';
import type { TrainingWorker } from '../learn/training-worker.ts';
import type { Store, StudyHeadRecord } from '../store/store.ts';
import type { SlideVector } from '../study/slide-typicality.ts';
import { type StudyData, type StudyModel, type StudyResult, trainStudy } from '../study/train-study.ts';
import { BagCache } from './bag-cache.ts';
import type { StudyFeatures } from './study-features.ts';
import type { ExtractedSlide } from './study-outcome.ts';
import { casesOf, headCount, trainingPlan } from './study-plan.ts';
import { packWeights, unpackWeights } from './study-weights.ts';

export interface HeadTrainingParts {
  readonly store: Store;
  readonly features: StudyFeatures;
  readonly trainer: TrainingWorker;
  readonly onEpoch: (fold: number, seed: number, record: EpochRecord) => void;
}

/** Trains the heads of a study and judges its slides. Heads that are stored are not trained again; each is kept as it is done. */
export async function trainHeads(
  { store, features, trainer, onEpoch }: HeadTrainingParts,
  id: StudyId,
  plan: StudyPlan,
  slides: readonly ExtractedSlide[],
  context: JobContext,
): Promise<StudyResult> {
  const bags = new BagCache((index) => store.readFeatures(slides[index]?.runId ?? asId<RunId>('')));
  const featureDim = slides[0]?.featureDim ?? 0;
  const data: StudyData = {
    ...{ cases: casesOf(plan), featureDim, features: (index) => bags.get(index) },
    appearance: async (index) => {
      const slideId = plan.rows[index]?.slideId;
      return slideId === undefined ? null : await features.appearanceOf(slideId, plan.tissue);
    },
  };
  const known = new Map((await store.listStudyHeads(id)).map((head) => [`${head.fold} ${head.seed}`, head]));
  // Weights that are solved for take no epochs.
  const [unit, perHead] = plan.steadying?.solved ? (['heads', 1] as const) : (['epochs', plan.epochs] as const);
  const total = headCount(plan) * perHead;
  let done = 0;
  const report = (): void => context.report({ stage: 'Training', done, total, unit });
  context.report({ stage: 'Looking at the features', done: 0, total: 0 });
  const result = await trainStudy(data, trainingPlan(plan), trainer, {
    signal: context.signal,
    known: (fold, seed) => {
      const head = known.get(`${fold} ${seed}`);
      return head === undefined ? null : modelOf(head);
    },
    onChecked: report,
    onEpoch: (fold, seed, record) => {
      if (unit === 'epochs') done++;
      onEpoch(fold, seed, record);
      report();
    },
    onModel: async (model, models) => {
      done = models * perHead;
      report();
      if (!known.has(`${model.fold} ${model.seed}`)) await keep(store, id, model);
    },
  });
  await store.putStudyVectors({ studyId: id, ...packVectors(result.vectors) });
  return result;
}

async function keep(
  store: Store,
  studyId: StudyId,
  { fold, seed, spec, weights, bestEpoch, history, trainedOn }: StudyModel,
): Promise<void> {
  await store.putStudyHead({
    ...{ studyId, fold, seed, bestEpoch },
    specJson: JSON.stringify(spec),
    historyJson: JSON.stringify(history),
    trainedOnJson: trainedOn === undefined ? null : JSON.stringify(trainedOn),
    weights: packWeights(weights),
  });
}

/** A stored head as the trainer made it. */
export function modelOf(head: StudyHeadRecord): StudyModel {
  const { fold, seed, bestEpoch, weights, trainedOnJson } = head;
  const spec = JSON.parse(head.specJson) as HeadSpec;
  const history = JSON.parse(head.historyJson) as readonly EpochRecord[];
  const trainedOn = trainedOnJson === null ? {} : { trainedOn: JSON.parse(trainedOnJson) as TrainedOn };
  return { fold, seed, spec, weights: unpackWeights(spec, weights), bestEpoch, history, ...trainedOn };
}

function packVectors(vectors: readonly SlideVector[]): { readonly dim: number; readonly vectors: Float32Array } {
  const dim = vectors[0]?.length ?? 0;
  const packed = new Float32Array(vectors.length * dim);
  vectors.forEach((vector, i) => {
    packed.set(vector, i * dim);
  });
  return { dim, vectors: packed };
}
