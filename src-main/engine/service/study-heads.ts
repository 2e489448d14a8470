import { AppError, hasCode } from '../../../src-shared/errors.ts';
import type { SlideId, StudyId } from '../../../src-shared/model/ids.ts';
import type { Run, TissueParams } from '../../../src-shared/model/run.ts';
import type { SlidePrediction, Study, StudyPlan } from '../../../src-shared/model/study.ts';
import type { SlideTypicality } from '../../../src-shared/model/typicality.ts';
import type { AttentionWorker } from '../learn/attention-worker.ts';
import type { HeadSpec } from '../learn/head-spec.ts';
import type { Store, StoredJudgement, StudyHeadRecord } from '../store/store.ts';
import { plannedSplits } from '../study/plan-splits.ts';
import { compareWithTraining, describeTraining, type TrainingData, vectorOf } from '../study/slide-typicality.ts';
import type { Split } from '../study/splits.ts';
import { Judging, type SoFar } from './judging.ts';
import { headsDigest, judgementKey, packJudgement, unpackJudgement } from './kept-judgement.ts';
import { spreadOf } from './study-outcome.ts';
import { casesOf, trainingPlan } from './study-plan.ts';
import { unpackWeights } from './study-weights.ts';
import { hasSeen, type TunedPast } from './tuned-leak.ts';
import { unseeingFolds } from './unseeing-folds.ts';

/** What the heads that may judge a slide say of it, whole or so far. */
export interface Judgement extends SoFar {
  readonly seen: SlidePrediction['seen'];
  /** Fold and seed of each head, in the order of `ensemble.probabilities`. */
  readonly heads: readonly Pick<StudyHeadRecord, 'fold' | 'seed'>[];
  readonly headsSha256: string;
  /** Of the features (`featureMoments`); null while heads are missing. */
  readonly moments: Float64Array | null;
}

/** Reads the features of a run, if they are needed: what was judged before is kept. */
export type FeatureReader = () => Promise<Float32Array>;

/** What a slide's pixels look like, see `measureAppearance`; null where they are not at hand. */
export type AppearanceOf = (id: SlideId, tissue: TissueParams) => Promise<Float64Array | null>;

/** Judgements kept in memory: another view of a map, or its prediction, needs no second pass. */
const KEPT = 2;
/** The heads of trained studies at work on slides. One forward path, always over the full bag. */
export class StudyHeads {
  readonly #store: Store;
  readonly #worker: Pick<AttentionWorker, 'judge' | 'prepare'>;
  readonly #pastOf: (plan: StudyPlan) => Promise<TunedPast | null>;
  readonly #appearanceOf: AppearanceOf;
  readonly #judgements = new Map<string, Judging<Judgement>>();
  readonly #training = new Map<string, Promise<TrainingData | null>>();

  /** @param pastOf what a plan's backbone was fine-tuned on; null where it was not. */
  constructor(
    store: Store,
    worker: Pick<AttentionWorker, 'judge' | 'prepare'>,
    pastOf: (plan: StudyPlan) => Promise<TunedPast | null>,
    appearanceOf: AppearanceOf,
  ) {
    this.#store = store;
    this.#appearanceOf = appearanceOf;
    this.#worker = worker;
    this.#pastOf = pastOf;
  }

  /** The whole judgement. Throws InvalidRequest for an untrained study or features of another backbone, cut or length. */
  async judge(study: Study, run: Run, features: FeatureReader): Promise<Judgement> {
    return await this.#judging(study, run, features).whole();
  }

  /**
   * The judgement once more than `heads` heads are in it: the first within about a second, for a picture of it.
   * Throws as `judge`; Cancelled after `leave`.
   */
  async soFar(study: Study, run: Run, features: FeatureReader, heads: number): Promise<Judgement> {
    return await this.#judging(study, run, features).moreThan(heads);
  }

  /** An earlier state that was given out; null where it is gone. */
  earlier(study: Study, run: Run, heads: number): Judgement | null {
    return this.#judgements.get(keyOf(study, run))?.at(heads) ?? null;
  }

  /** Somebody no longer watches the judgement: it is given up where nobody else waits for it. */
  leave(study: Study, run: Run): void {
    this.#judgements.get(keyOf(study, run))?.leave();
  }

  async predict(study: Study, run: Run, features: FeatureReader): Promise<SlidePrediction> {
    const judgement = await this.judge(study, run, features);
    const { seen, ensemble } = judgement;
    const rows = rowsOf(judgement);
    const column = (pick: (values: number[]) => number): number[] =>
      Array.from(rows[0] ?? [], (_, c) => pick(rows.map((row) => row[c] ?? 0)));
    return {
      ...{ studyId: study.id, runId: run.id, classes: study.outcome?.classes ?? [] },
      probabilities: column((values) => values.reduce((sum, p) => sum + p, 0) / values.length),
      spread: spreadOf(rows),
      lowest: column((values) => Math.min(...values)),
      highest: column((values) => Math.max(...values)),
      ...{ heads: rows.length, seen, agreement: ensemble.agreement },
      typicality: await this.typicality(study, run, judgement),
    };
  }

  /** How a slide compares with the training slides; null where the study is too small, or of an older version. */
  async typicality(study: Study, run: Run, { moments }: Pick<Judgement, 'moments'>): Promise<SlideTypicality | null> {
    const key = `${study.id} ${study.outcome?.finishedAtMs}`;
    const known = this.#training.get(key) ?? this.#describe(study);
    this.#training.set(key, known);
    known.catch(() => this.#training.delete(key));
    const training = await known;
    if (training === null || moments === null) return null;
    const appearance = training.knowsPixels ? await this.#appearanceOf(run.slideId, study.plan.tissue) : null;
    return compareWithTraining(training, vectorOf(moments, appearance));
  }

  forget(id: StudyId): void {
    for (const kept of [this.#judgements, this.#training]) {
      for (const key of kept.keys()) if (key.startsWith(`${id} `)) kept.delete(key);
    }
  }

  #judging(study: Study, run: Run, features: FeatureReader): Judging<Judgement> {
    checkFits(study, run);
    const key = keyOf(study, run);
    const known = this.#judgements.get(key);
    this.#judgements.delete(key);
    const askedAtMs = Date.now();
    const judging =
      known === undefined || known.isGivenUp
        ? new Judging<Judgement>((...hooks) => this.#judge(study, run, features, askedAtMs, ...hooks))
        : known;
    this.#judgements.set(key, judging);
    judging.done.catch(() => {
      if (this.#judgements.get(key) === judging) this.#judgements.delete(key);
    });
    for (const oldest of [...this.#judgements.keys()].slice(0, Math.max(0, this.#judgements.size - KEPT))) {
      this.#judgements.delete(oldest);
    }
    return judging;
  }

  /** From what is kept, if heads, features and code are still those; else by the heads, and kept. */
  async #judge(
    study: Study,
    run: Run,
    features: FeatureReader,
    askedAtMs: number,
    onSoFar: (judgement: Judgement) => void,
    signal: AbortSignal,
  ): Promise<Judgement> {
    const kept = await this.#store.getJudgement(run.id, study.id);
    const { seen, heads } = await this.#headsFor(study, run.slideId);
    const spec = specOf(heads);
    // Where nothing is kept, features are read and the session is opened while the heads are hashed.
    const early = kept === null ? features() : null;
    early?.catch(() => undefined);
    if (kept === null) this.#worker.prepare(spec);
    const headsSha256 = headsDigest(heads);
    const of = heads.length;
    const common = { seen, heads: heads.map(({ fold, seed }) => ({ fold, seed })), headsSha256, of };
    const madeBy = judgementKey(headsSha256, await this.#store.featureDigest(run.id));
    if (kept !== null && kept.madeBy === madeBy) return { ...common, ...unpackJudgement(kept) };
    const judged = await this.#worker.judge(
      {
        ...{ spec, askedAtMs, features: await (early ?? features()) },
        heads: heads.map(({ fold, seed, weights }) => ({ fold, seed, weights: unpackWeights(spec, weights) })),
      },
      (ensemble) => onSoFar({ ...common, ensemble, moments: null }),
      signal,
    );
    await this.#keep(packJudgement({ runId: run.id, studyId: study.id, madeBy }, judged));
    return { ...common, ...judged };
  }

  /** A store that cannot be written, or no longer knows run or study, keeps nothing: the judgement holds without. */
  async #keep(judgement: StoredJudgement): Promise<void> {
    try {
      await this.#store.putJudgement(judgement);
    } catch (error) {
      if (!hasCode(error, 'StoreReadOnly') && !hasCode(error, 'DiskFull') && !hasCode(error, 'NotFound')) throw error;
    }
  }

  async #headsFor(study: Study, slideId: SlideId): Promise<Pick<Judgement, 'seen'> & { heads: StudyHeadRecord[] }> {
    const all = await this.#store.listStudyHeads(study.id);
    const { seen: byHeads, folds } = unseeingFolds(study, slideId);
    const past = byHeads === 'trained' ? null : await this.#pastOf(study.plan);
    const seen = past !== null && hasSeen(study.plan, past, slideId) ? 'tuned' : byHeads;
    const heads = all.filter(({ fold }) => folds === null || folds.has(fold));
    if (heads.length === 0)
      throw new AppError('NotFound', 'The heads of this study are gone.', { advice: 'Train it again.' });
    return { seen, heads };
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

const keyOf = ({ id, outcome }: Study, run: Run): string => `${id} ${outcome?.finishedAtMs} ${run.id}`;

/** The shape all heads of a study have. */
function specOf(heads: readonly StudyHeadRecord[]): HeadSpec {
  const specs = heads.map(({ specJson }) => ({ ...(JSON.parse(specJson) as HeadSpec), seed: 0 }));
  const [spec] = specs;
  if (spec === undefined || specs.some((each) => JSON.stringify(each) !== JSON.stringify(spec))) {
    throw new AppError('StoreDamaged', 'The heads of this study do not belong together.', {
      advice: 'Train it again.',
    });
  }
  return spec;
}

/** Probabilities by each head of a whole judgement. */
export function rowsOf({ ensemble }: Judgement): number[][] {
  return ensemble.probabilities.flatMap((row) => (row === null ? [] : [[...row]]));
}
