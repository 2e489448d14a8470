import { createHash } from 'node:crypto';
import { AppError } from '../../../src-shared/errors.ts';
import type { SlideId, StudyId } from '../../../src-shared/model/ids.ts';
import type { Run, TissueParams } from '../../../src-shared/model/run.ts';
import type { SlidePrediction, SlideTypicality, Study, StudyPlan } from '../../../src-shared/model/study.ts';
import type { BagPrediction } from '../learn/evaluate-head.ts';
import type { HeadSpec } from '../learn/head-spec.ts';
import type { TrainingWorker } from '../learn/training-worker.ts';
import type { Store, StudyHeadRecord } from '../store/store.ts';
import { agreementOf, tileWorth } from '../study/map-checks.ts';
import { plannedSplits } from '../study/plan-splits.ts';
import { compareWithTraining, describeTraining, slideVector, type TrainingData } from '../study/slide-typicality.ts';
import type { Split } from '../study/splits.ts';
import { spreadOf } from './study-outcome.ts';
import { casesOf, trainingPlan } from './study-plan.ts';
import { unpackWeights } from './study-weights.ts';
import { hasSeen, type TunedPast } from './tuned-leak.ts';

/** What the heads that may judge a slide say of it. */
export interface Judgement {
  readonly seen: SlidePrediction['seen'];
  readonly heads: readonly StudyHeadRecord[];
  readonly predictions: readonly BagPrediction[];
}

/** Colours of a slide's tissue; null where its pixels are not at hand. */
export type SlideColours = (id: SlideId, tissue: TissueParams) => Promise<Float64Array | null>;

/** Judgements kept in memory: another view of a map, or its prediction, needs no second pass. */
const KEPT = 2;
/** Tiles above which the agreement of heads is measured on an even sample of so many. */
const AGREEMENT_TILES = 5000;

/** The heads of trained studies at work on slides. One forward path, always over the full bag. */
export class StudyHeads {
  readonly #store: Store;
  readonly #worker: () => TrainingWorker;
  readonly #pastOf: (plan: StudyPlan) => Promise<TunedPast | null>;
  readonly #colours: SlideColours;
  readonly #judgements = new Map<string, Promise<Judgement>>();
  readonly #training = new Map<string, Promise<TrainingData | null>>();

  /** @param pastOf what a plan's backbone was fine-tuned on; null where it was not. */
  constructor(
    store: Store,
    worker: () => TrainingWorker,
    pastOf: (plan: StudyPlan) => Promise<TunedPast | null>,
    colours: SlideColours,
  ) {
    this.#store = store;
    this.#colours = colours;
    this.#worker = worker;
    this.#pastOf = pastOf;
  }

  /** Throws InvalidRequest for an untrained study or features of another backbone, cut or length. */
  async judge(study: Study, run: Run, features: Float32Array): Promise<Judgement> {
    checkFits(study, run);
    const key = `${study.id} ${study.outcome?.finishedAtMs} ${run.id}`;
    const known = this.#judgements.get(key);
    this.#judgements.delete(key);
    const judging = known ?? this.#judge(study, run.slideId, features);
    this.#judgements.set(key, judging);
    judging.catch(() => this.#judgements.delete(key));
    for (const oldest of [...this.#judgements.keys()].slice(0, Math.max(0, this.#judgements.size - KEPT))) {
      this.#judgements.delete(oldest);
    }
    return await judging;
  }

  async predict(study: Study, run: Run, features: Float32Array): Promise<SlidePrediction> {
    const { seen, predictions } = await this.judge(study, run, features);
    const rows = predictions.map(({ probabilities }) => [...probabilities]);
    const column = (pick: (values: number[]) => number): number[] =>
      Array.from(rows[0] ?? [], (_, c) => pick(rows.map((row) => row[c] ?? 0)));
    return {
      ...{ studyId: study.id, runId: run.id, classes: study.outcome?.classes ?? [] },
      probabilities: column((values) => values.reduce((sum, p) => sum + p, 0) / values.length),
      spread: spreadOf(rows),
      lowest: column((values) => Math.min(...values)),
      highest: column((values) => Math.max(...values)),
      ...{ heads: rows.length, seen },
      agreement: agreementOf(predictions.map((each) => sampled(tileWorth(study.plan.pooling, each)))),
      typicality: await this.typicality(study, run, features),
    };
  }

  /** How a slide compares with the training slides; null where the study is too small, or of an older version. */
  async typicality(study: Study, run: Run, features: Float32Array): Promise<SlideTypicality | null> {
    const key = `${study.id} ${study.outcome?.finishedAtMs}`;
    const known = this.#training.get(key) ?? this.#describe(study);
    this.#training.set(key, known);
    known.catch(() => this.#training.delete(key));
    const training = await known;
    const dim = study.outcome?.featureDim ?? 0;
    if (training === null) return null;
    const colours = training.knowsColours ? await this.#colours(run.slideId, study.plan.tissue) : null;
    return compareWithTraining(training, slideVector(features, dim, colours));
  }

  forget(id: StudyId): void {
    for (const kept of [this.#judgements, this.#training]) {
      for (const key of kept.keys()) if (key.startsWith(`${id} `)) kept.delete(key);
    }
  }

  async #judge(study: Study, slideId: SlideId, features: Float32Array): Promise<Judgement> {
    const all = await this.#store.listStudyHeads(study.id);
    const { seen: byHeads, folds } = foldsFor(study, slideId);
    const past = byHeads === 'trained' ? null : await this.#pastOf(study.plan);
    const seen = past !== null && hasSeen(study.plan, past, slideId) ? 'tuned' : byHeads;
    const heads = folds === null ? all : all.filter(({ fold }) => folds.has(fold));
    if (heads.length === 0)
      throw new AppError('NotFound', 'The heads of this study are gone.', { advice: 'Train it again.' });
    const predictions: BagPrediction[] = [];
    for (const { specJson, weights } of heads) {
      const spec = JSON.parse(specJson) as HeadSpec;
      predictions.push(await this.#worker().predict(spec, unpackWeights(spec, weights), features));
    }
    return { seen, heads, predictions };
  }

  async #describe(study: Study): Promise<TrainingData | null> {
    const stored = await this.#store.getStudyVectors(study.id);
    if (stored === null || stored.dim === 0) return null;
    const { dim, vectors } = stored;
    const rows = study.plan.rows.map((_, i) => Float64Array.from(vectors.subarray(i * dim, (i + 1) * dim)));
    return describeTraining(rows, splitsOf(study), study.outcome?.featureDim ?? dim);
  }
}

/** The splits a study was trained with, by case number. */
function splitsOf({ plan, outcome }: Study): readonly Split[] {
  if (outcome === null || outcome.splits.length === 0) return plannedSplits(casesOf(plan), trainingPlan(plan)).splits;
  const at = new Map(plan.rows.map(({ slideId }, i) => [slideId, i]));
  const numbers = (ids: readonly SlideId[]): number[] => ids.flatMap((id) => at.get(id) ?? []);
  return outcome.splits.map(({ train, validation, test }) => ({
    train: numbers(train),
    validation: numbers(validation),
    test: numbers(test),
  }));
}

/** Which folds' heads may judge a slide: null = all of them. */
function foldsFor(study: Study, slideId: SlideId): { seen: Judgement['seen']; folds: ReadonlySet<number> | null } {
  const { plan, outcome } = study;
  if (!plan.rows.some((row) => row.slideId === slideId)) return { seen: 'unseen', folds: null };
  const splits = outcome?.splits ?? [];
  const unseeing = splits.flatMap(({ train, validation }, fold) =>
    train.includes(slideId) || validation.includes(slideId) ? [] : [fold],
  );
  const tested = (outcome?.predictions ?? []).filter((row) => row.slideId === slideId).map(({ fold }) => fold);
  const folds = new Set(splits.length > 0 ? unseeing : tested);
  return folds.size > 0 ? { seen: 'tested', folds } : { seen: 'trained', folds: null };
}

function checkFits({ plan, outcome }: Study, run: Run): void {
  if (outcome === null) {
    throw new AppError('InvalidRequest', 'This study is not trained yet.', { advice: 'Let it finish first.' });
  }
  const sameBackbone = run.backboneId === plan.backboneId && (plan.cut === null || run.cut === plan.cut);
  const isMember = plan.rows.some(({ runId }) => runId === run.id);
  if ((!sameBackbone && !isMember) || run.provenance.featureDim !== outcome.featureDim) {
    throw new AppError('InvalidRequest', 'This analysis was made with another backbone than the study.', {
      advice: "Analyse the slide with the study's backbone and cut first.",
    });
  }
}

/** Every n-th value: ranks of a large bag change nothing but the time they take. */
function sampled(values: Float32Array): Float32Array {
  const step = Math.ceil(values.length / AGREEMENT_TILES);
  return step === 1 ? values : values.filter((_, i) => i % step === 0);
}

/** SHA-256 over the weights of a study's heads in their order. */
export function headsDigest(heads: readonly StudyHeadRecord[]): string {
  const hash = createHash('sha256');
  for (const { fold, seed, specJson, weights } of heads) {
    hash.update(`${fold} ${seed} ${specJson}\n`);
    hash.update(new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength));
  }
  return hash.digest('hex');
}
